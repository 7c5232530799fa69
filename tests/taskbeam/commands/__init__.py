"""The commands, each as its user has it."""
