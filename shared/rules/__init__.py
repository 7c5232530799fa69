"""What clients may send: fields, accounts, requests for tasks and queries, checked and made into values. Pure."""
