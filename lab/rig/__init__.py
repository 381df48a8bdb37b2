"""What tests, benchmarks and the demo do to a lab: read Nova, bring all home, run Koboshi.

It runs in the project's environment (`.venv`), not in Debian's bare Python as the lab itself does.
"""
