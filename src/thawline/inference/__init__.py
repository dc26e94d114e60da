"""The one door from texts to features and logits, through the store or through the whole model."""
