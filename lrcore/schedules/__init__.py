"""Schedules: what one is, the kinds, recipes made of kinds, and the plateau."""
