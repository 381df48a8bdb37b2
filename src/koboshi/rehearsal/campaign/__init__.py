"""Fault campaigns: random clouds, random troubles, and a judge that knows the truth."""
