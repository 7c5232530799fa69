"""The raw servers that ratios are taken to: the same libraries, loop and codec, and no application."""
