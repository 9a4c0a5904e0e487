"""What runs a network: OpenVINO or TensorFlow."""
