"""Search for the settings of a fit with the highest validation score, with Optuna."""
