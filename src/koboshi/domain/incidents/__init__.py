"""One dead host: how its incident opens, who switches it off, and what waits for a person."""
