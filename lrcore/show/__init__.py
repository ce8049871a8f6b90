"""What users look at: descriptions, pictures and the command line."""
