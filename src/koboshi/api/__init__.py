"""The HTTP API: what the daemon knows, for the command line, for tools, and later for the page."""
