-- Queries name the fields themselves (shared/store/sqlite/tasks.py), as shared/models.py has them.
DROP VIEW task_fields;
