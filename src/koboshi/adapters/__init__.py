"""The real world behind the ports: one folder for each kind of thing that is talked to."""
