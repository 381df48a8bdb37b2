"""The demo: the simulated cloud served over HTTP, and Koboshi as a process of its own that keeps it."""
