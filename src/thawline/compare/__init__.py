"""Ladders: several strategies, trained and compared on identical splits and seeds."""
