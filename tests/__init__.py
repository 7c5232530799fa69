"""All tests; CONTRIBUTING says which room is for what."""
