"""Telling people and their tools: the log, and a signed webhook."""
