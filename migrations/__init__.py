"""The scripts that make and upgrade the catalog's tables; ``stylesearch.catalog.migrate`` runs them.

To change the schema: change ``stylesearch.catalog.tables``; run
``python -m stylesearch.migrations "what it does"``, which starts a script from the difference between the
models and the newest schema; finish the script; add its number to ``REVISIONS`` in
``stylesearch.catalog.schema_version``; and add a dump of a small catalog of the new schema (the output of
``.dump`` in the ``sqlite3`` shell) to ``tests/migrations/dumps``, where every later version will upgrade it.
"""
