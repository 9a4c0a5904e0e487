"""Checks a whole catalog, and mends what follows from other rows of it."""
