"""Hyperparameter searches: spaces, and an Optuna study that several processes share and a kill does not end."""
