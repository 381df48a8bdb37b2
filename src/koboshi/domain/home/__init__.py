"""The way home: a host that lives again gets its service back, and the servers that waited for it start."""
