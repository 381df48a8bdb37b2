"""The journal in a database: every event, which commands are open, and who leads."""
