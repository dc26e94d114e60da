"""Pretrain a language model from texts, and generate text with it."""
