"""Both processes at once: pushes, and what is written to one and read from the other."""
