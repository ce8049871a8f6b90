"""A package, so that `from tests.frameworks import ...` can never find another distribution's `tests`."""
