"""Runs the migration scripts on the connection that ``stylesearch.catalog.migrate`` passes in."""

from __future__ import annotations

from alembic import context

from stylesearch.catalog.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("migrations run through stylesearch.catalog.migrate, not through the alembic command")

on_server = connection.dialect.name == "postgresql"
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by making a new one
    compare_type=True,
    # Not the table of another program in a schema that is visible too.
    version_table_schema=connection.dialect.default_schema_name if on_server else None,
)
with context.begin_transaction():
    context.run_migrations()
