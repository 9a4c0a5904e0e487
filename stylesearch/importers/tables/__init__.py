"""Tables and feeds of products: one format a module, read by one importer."""
