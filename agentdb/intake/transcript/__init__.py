"""What coding agents write down themselves, a line a message."""
