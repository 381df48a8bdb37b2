"""The real engine on the simulated cloud: its own composition root, and what is played there."""
