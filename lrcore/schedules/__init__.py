"""Schedules: the base class, the kinds, recipes built from kinds, and the plateau."""
