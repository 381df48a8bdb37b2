"""Before it happens: what a host's death would cost, and what Nova left behind that will go off."""
