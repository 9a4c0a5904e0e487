"""Pictures behind URLs: fetched several at a time, and kept by content in a folder."""
