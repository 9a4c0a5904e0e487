"""Vector stores in PostgreSQL: a table of pgvector for each fit of a space and metric."""
