"""Features of many images: the stream that decodes and extracts, and the arrays and caches that hold them."""
