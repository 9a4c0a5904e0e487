"""Pictures: any file to upright RGB pixels, regions of them as network inputs, and contact sheets."""
