"""Reads folders of images: lists the tree, finds out what its levels are, and makes products of it."""
