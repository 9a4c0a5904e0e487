"""Features of many pictures: decoding and extraction as one stream, and where vectors are kept."""
