"""What an agent's program imports."""
