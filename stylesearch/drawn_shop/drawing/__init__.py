"""Canvas, curves and colors, which everything is drawn with."""
