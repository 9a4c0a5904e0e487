"""Readers of public fashion datasets: each is an importer that also knows splits, boxes and domains.

They are reached by name through ``stylesearch.importers.IMPORTERS``; nothing is imported here.

All of them store what an evaluation needs as attributes of the product, besides the chosen category:
``dataset``, ``split``, ``dataset_category``, ``seed_group`` and ``dataset_id`` (the id without the dataset's
name before it). Domain and box belong to the image. One image may belong to several products, with a box
for each: the catalog keys images by product and path.
"""
