"""Middleware around every request: request id, log line, limits and errors."""
