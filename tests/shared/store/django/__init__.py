"""What reads the database of a Django application."""
