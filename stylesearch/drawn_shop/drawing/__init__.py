"""Canvas, pen and curves: what everything is drawn with."""
