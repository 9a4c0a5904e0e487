"""Canvas, pen and curves."""
