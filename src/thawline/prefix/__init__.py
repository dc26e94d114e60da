"""The frozen part, run once, and what it leaves: stored states; texts as a module reads them."""
