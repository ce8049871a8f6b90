"""Curves: the mathematics, pieces of it as data, and timelines made of pieces."""
