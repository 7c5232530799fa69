"""The command line: ``taskbeam``, for operators and users."""
