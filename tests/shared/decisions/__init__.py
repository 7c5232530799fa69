"""The tests of the store's rules, without any database."""
