"""What operators see of the daemon from outside: its log and its metrics."""
