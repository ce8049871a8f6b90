"""What the author of an adapter needs beside the public names: docs/how-to/own-adapter.md shows how it is used."""

from lrcore.schedules.kinds import as_schedule
from lrcore.schedules.plateau import report_due, warn_of_no_report
from lrcore.schedules.steps import checked_step
from lrcore.state import LoadedState, Policy, check_policy
from lrcore.tables.table import Table

__all__ = [
    "LoadedState",
    "Policy",
    "Table",
    "as_schedule",
    "check_policy",
    "checked_step",
    "report_due",
    "warn_of_no_report",
]
