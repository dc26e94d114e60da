"""The training loop with its objectives, optimisers and checkpoints, and the exact fit of heads."""
