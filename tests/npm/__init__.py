"""Third-party clients from npm against the real gateway."""
