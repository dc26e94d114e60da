"""What a data set is like before a fit: classes, lengths, duplicates and leakage."""
