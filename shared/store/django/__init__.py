"""The database of a Django application, read: users, tasks and ended tokens as rows, as they stand there."""
