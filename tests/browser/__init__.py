"""A headless Chromium with the usage document's example, and another origin."""
