"""Use the wheel, installed without an extra, as a stranger would.

Run with `python -P` away from the repository, given a schedule file and the packages that the wheel holds.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import lrcore

assert "numpy" not in sys.modules, "importing lrcore loads numpy"

for package in sys.argv[2:]:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not in the wheel"
    assert spec.origin is not None, f"{package} has no __init__.py"
    assert Path(sys.prefix) in Path(spec.origin).parents, f"{package} comes from {spec.origin}"
assert importlib.util.find_spec("adapters") is None, "the wheel holds `adapters`"

try:
    import lrcore_torch
except ImportError as error:
    assert 'pip install "lrcore[torch]"' in str(error), f"an absent framework is told as: {error}"
else:
    raise AssertionError(f"{lrcore_torch} was imported without torch")

command = [f"{sys.prefix}/bin/lrcore", "show", sys.argv[1]]
run = subprocess.run(command, capture_output=True, text=True, check=False)
sentence = 'lrcore: needs click, which is not installed; run: pip install "lrcore[cli]"\n'
assert (run.returncode, run.stdout, run.stderr) == (2, "", sentence), f"the command without click: {run}"

schedule = lrcore.load(sys.argv[1])
assert isinstance(schedule, lrcore.Schedule)
assert list(schedule.values([0, 1, 2])) == [schedule(0), schedule(1), schedule(2)]
assert lrcore.loads(lrcore.dumps(schedule)) == schedule
print(f"lrcore of {Path(lrcore.__file__).parent} works: {schedule!r}")
