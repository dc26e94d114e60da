"""Records become tables and pictures."""
