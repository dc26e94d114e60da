"""Several strategies on identical splits and seeds, and what the comparison says."""
