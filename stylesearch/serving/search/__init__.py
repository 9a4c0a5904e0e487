"""Searches of many clients at once: queue, batches, readiness."""
