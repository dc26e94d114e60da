"""Train a classifier: the plan of a fit, the training loop, and the exact fit of a head."""
