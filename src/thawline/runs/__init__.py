"""The folder of a run: its layout, its record, and how it is resumed."""
