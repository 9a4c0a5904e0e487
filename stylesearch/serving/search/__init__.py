"""Searches of many clients at once: queue, batches, index maintenance, readiness."""
