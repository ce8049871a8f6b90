"""The run around a schedule: lengths as people write them, and how many updates they are."""
