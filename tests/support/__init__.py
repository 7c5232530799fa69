"""What the tests share: the real processes, and small clients for both transports."""
