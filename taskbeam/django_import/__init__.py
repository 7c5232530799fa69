"""Users and tasks of a Django application, taken in with all that its clients know of them: ids, uuids and times."""
