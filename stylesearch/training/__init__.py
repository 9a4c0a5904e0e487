"""Learning a distance from pairs that a shop has: which pictures, which split, which batches, which loss."""
