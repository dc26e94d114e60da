"""A fitted classifier, and the logits that it gives for texts."""
