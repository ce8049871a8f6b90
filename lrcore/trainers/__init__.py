"""The schedules of trainers' own configurations: one file for each trainer."""
