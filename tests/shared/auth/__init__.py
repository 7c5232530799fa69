"""The tests of accounts, passwords, sessions and tokens."""
