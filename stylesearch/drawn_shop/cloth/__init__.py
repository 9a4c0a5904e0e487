"""Colors, patterns and folds of drawn cloth."""
