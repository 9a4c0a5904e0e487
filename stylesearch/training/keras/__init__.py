"""Keras layers, losses and the training loop. Importing a module of this package imports Keras, quietly."""

from stylesearch.extractors.engines.tensorflow import import_keras

import_keras()
