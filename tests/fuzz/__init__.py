"""Bytes that a machine makes up, from a seed, at both ports; what was found is kept."""
