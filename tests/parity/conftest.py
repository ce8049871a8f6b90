"""One count of what was compared for each framework's run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.frameworks import version
from tests.parity.comparison import Conformance


@pytest.fixture(scope="session")
def conformance(pytestconfig: pytest.Config) -> Iterator[Conformance]:
    name = str(pytestconfig.getoption("framework"))
    conformance = Conformance(name, version(name))
    yield conformance
    conformance.write()
