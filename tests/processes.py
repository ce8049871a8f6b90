"""Processes that train together, started by a test and not left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping


def free_port() -> int:
    """A port of this machine that nothing listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_together(code: str, environments: Iterable[Mapping[str, str]], *arguments: str) -> None:
    """Run code in one process for each set of variables, all at once; none may fail, and none outlives the others' end."""
    command = [sys.executable, "-c", f"import sys; sys.path = {sys.path!r}; {code}", *arguments]
    runs = [
        subprocess.Popen(
            command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for environment in environments
    ]
    try:
        for run in runs:
            said, _ = run.communicate(timeout=100)
            assert run.returncode == 0, said
    finally:  # where one has failed the others wait for it
        for run in runs:
            run.kill()
