"""White-box features: edges, colors and corners, computed without a network.

Each is defined once, as a ``Feature`` with two ways to compute
it that agree: NumPy on the CPU, and batched tensors for a GPU. Adding one is a row in
``stylesearch.extractors.classical.feature.WHITE_BOXES``.
"""
