-- Queries name the fields themselves (shared/store/tasks_sql.py), as shared/models.py has them.
DROP VIEW task_fields;
