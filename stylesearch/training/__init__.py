"""Trains a distance on a shop's pairs of images of one product: pairs, split, batches, losses and weights."""
