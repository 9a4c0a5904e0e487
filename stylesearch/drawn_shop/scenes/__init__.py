"""Drawn streets and rooms, and the camera."""
