"""What happens around every request: its id, log line, limits and errors."""
