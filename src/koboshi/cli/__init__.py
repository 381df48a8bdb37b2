"""The command line: what operators type, and how it is answered."""
