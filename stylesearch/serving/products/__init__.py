"""Products and pictures that come in over the API."""
