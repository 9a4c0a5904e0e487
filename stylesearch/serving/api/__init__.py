"""Routes of the REST API, with their requests and responses."""
