"""Importers beside the trainers' own code, with random options: `python -m tests.trainers.live NAME`, or `nox -s trainers`.

NAME.py has `runs(random)`, which yields a `Native` for each random configuration, and NAME.txt says what pip installs for it: a
line that ends in `# --no-deps` is installed without what it requires. The results are written to
tests/data/trainers/live/NAME.json, which is committed; the page of conformance is made of them.
"""
