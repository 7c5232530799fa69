"""What both processes share: settings, the task and account services, the store and the change feed."""
