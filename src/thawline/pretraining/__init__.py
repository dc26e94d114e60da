"""A language model from texts: corpus, tokenizer, windows, objective, and the whole job."""
