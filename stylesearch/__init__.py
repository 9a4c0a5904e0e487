"""Visual search for fashion shops."""
