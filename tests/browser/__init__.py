"""Headless browsers with the page at ``/app/``, the usage document's example, and another origin."""
