"""`python -m bedside` is the command `bedside`."""

from bedside.cli.main import run

run()
