"""Clients of other people's, from npm, against the real gateway."""
