"""What Koboshi knows and decides: pure Python, no I/O, no clock, no randomness."""
