"""Images: decodes any file to upright RGB pixels, cuts regions as network inputs, draws contact sheets."""
