"""A shop's workspace: one folder with a catalog, indexes, trained models and settings."""
