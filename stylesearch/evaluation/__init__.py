"""Studies: how often each method finds the right product, with intervals and p-values."""
