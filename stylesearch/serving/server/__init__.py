"""Server processes: workers, signals and restarts."""
