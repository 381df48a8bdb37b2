"""What Koboshi remembers: the journal's events, the state that is folded from them, the commands meant."""
