"""One server's return: whose turn it is, where it goes, whether the request may leave, what became of it."""
