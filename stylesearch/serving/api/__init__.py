"""Routes of the REST API, and what they take and answer."""
