"""Three hosts on PostgreSQL and Valkey."""
