"""What the engine needs of the outside world: one small protocol a file."""
