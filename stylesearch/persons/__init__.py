"""Persons in a photo: where they are, their joints, and which pixels are theirs."""
