"""The scripts that make and upgrade the catalog's tables; :mod:`stylesearch.catalog.migrate` runs them.

``python -m stylesearch.migrations "what it does"`` starts a new one from the difference between the models
and the newest schema.
"""
