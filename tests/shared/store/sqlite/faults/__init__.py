"""What breaks from outside: full disks, held locks, killed processes."""
