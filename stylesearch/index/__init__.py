"""Vector indexes: which stored vectors are nearest; ``by_category`` is the way in. They know no catalog."""
