"""Turn texts into features and logits, with stored states or with the complete model."""
