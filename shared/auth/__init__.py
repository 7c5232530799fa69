"""Authentication: accounts and their passwords, sessions and their tokens."""
