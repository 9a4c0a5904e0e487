"""The report's page: HTML by hand, every text from the catalog escaped where it becomes HTML."""
