"""The frozen pass: run the prefix once over each text and keep its states in the store."""
