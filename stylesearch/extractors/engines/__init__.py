"""Engines, which run a network: OpenVINO or TensorFlow."""
