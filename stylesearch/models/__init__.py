"""Trained models of a workspace: their cards, files and networks."""
