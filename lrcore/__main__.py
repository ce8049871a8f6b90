"""The command `lrcore`; `python -m lrcore` is the same command."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from lrcore.errors import MissingExtraError


def main() -> None:
    """Run the command; without click, say in one line what to install."""
    if find_spec("click") is None:
        print(MissingExtraError("lrcore", package="click", extra="cli"), file=sys.stderr)  # noqa: T201 - its only output
        sys.exit(2)
    from lrcore.show import cli

    cli.main(prog_name="lrcore")


if __name__ == "__main__":
    main()
