"""The report of a study: a page with charts, whose texts Jinja2 escapes."""
