"""What people look at: words, pictures and the command line."""
