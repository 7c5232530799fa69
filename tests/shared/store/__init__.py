"""The store's contract, one suite for every engine, and what is SQLite's own."""
