"""The import of a Django application."""
