"""What the author of an adapter needs beside the public names: docs/how-to/own-adapter.md shows how it is used."""

from lrcore.errors import warn
from lrcore.follower import Follower
from lrcore.schedules.plateau import report_due, warn_of_no_report
from lrcore.schedules.steps import checked_step
from lrcore.sources import Source, as_schedule, as_schedule_or_plateau
from lrcore.state import LoadedState, Policy, check_policy
from lrcore.tables.table import Table
from lrcore.tables.tabled import TabledSchedule

__all__ = [
    "Follower",
    "LoadedState",
    "Policy",
    "Source",
    "Table",
    "TabledSchedule",
    "as_schedule",
    "as_schedule_or_plateau",
    "check_policy",
    "checked_step",
    "report_due",
    "warn",
    "warn_of_no_report",
]
