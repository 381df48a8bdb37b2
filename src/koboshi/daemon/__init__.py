"""The daemon: what builds the adapters, gives them to the engine, and tells how it is."""
