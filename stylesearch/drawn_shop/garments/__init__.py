"""Drawn garments, from a description to strips of cloth."""
