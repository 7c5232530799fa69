"""The reference client: its pure parts, and the whole of it against the real processes."""
