"""A workspace as a web service: a REST API for a shop's backend, and a page to search with.

Importing this package does not import FastAPI, Uvicorn or Prometheus: its modules do.
"""
