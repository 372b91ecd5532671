"""Hyperparameter searches: search spaces, and Optuna studies that several processes share and that survive a kill."""
