"""Who somebody is: accounts and their passwords, sessions and their tokens."""
