"""The supervisor, its worker processes, and the HTTP protocol that they speak."""
