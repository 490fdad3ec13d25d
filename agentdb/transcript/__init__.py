"""What coding agents write down themselves, read as events; imports next to nothing."""
