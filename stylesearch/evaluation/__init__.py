"""The study: which methods find the right product, how often, and how sure that is."""
