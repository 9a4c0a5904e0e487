"""Drawn people who wear the garments."""
