"""Score files of any size: read rows in blocks, classify them, and write them with predictions."""
