"""What the commands for users share."""
