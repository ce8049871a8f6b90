"""`python -m lrcore`: the command `lrcore`, where its script is not on the path."""

from lrcore.show.cli import main

main(prog_name="lrcore")
