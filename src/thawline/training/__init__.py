"""The one loop and what it trains: objectives, checkpoints, the suffix; and the exact fit."""
