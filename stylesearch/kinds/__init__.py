"""What kind of garment an image or photo shows: a small head on stored features, shipped with its card."""
