"""The rules of the store, pure: what is there goes in, what shall be there comes out. No SQL, loop, clock or engine."""
