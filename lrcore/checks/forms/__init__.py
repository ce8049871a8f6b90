"""The forms that a schedule may have, and how they are recognised in a log."""
