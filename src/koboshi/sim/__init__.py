"""The simulated cloud: a discrete-event world that knows the truth, and its faces."""
