"""Keras layers, losses and the loop that trains them. Importing anything in here imports Keras, quietly."""

from stylesearch.extractors.engines.tensorflow_import import import_keras

import_keras()
