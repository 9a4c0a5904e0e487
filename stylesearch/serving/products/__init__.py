"""Products that are put and deleted over the API, and the images that it sends."""
