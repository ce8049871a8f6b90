"""Whether a run followed its schedule, and which schedule it followed."""
