"""What may have happened to a run: hypotheses, the rows that tell them apart, and their search."""
