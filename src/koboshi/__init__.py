"""Koboshi: when a compute host of an OpenStack cloud dies, its servers get up elsewhere."""

__version__ = "0.1.0"
