"""Vector indexes, which find the nearest of stored vectors; they know no catalog."""
