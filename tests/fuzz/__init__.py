"""A fuzzer of both ports: random bytes from a seed. Conversations that failed once are kept."""
