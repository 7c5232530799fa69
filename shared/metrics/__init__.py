"""What the processes count and measure, and how one of them answers for all: see ``catalogue``."""
