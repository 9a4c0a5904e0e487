"""Keras layers, losses and the loop that trains them. Importing anything in here imports Keras, quietly."""

from stylesearch.extractors.engines.tensorflow import import_keras

import_keras()
