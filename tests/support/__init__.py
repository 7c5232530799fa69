"""What tests share: server processes, clients for both transports, waiting."""
