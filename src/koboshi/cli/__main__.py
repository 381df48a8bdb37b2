"""`python -m koboshi.cli`: the program without its entry point."""

from koboshi.cli.app import main

main()
