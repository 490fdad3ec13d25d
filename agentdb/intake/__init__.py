"""What emitters say of an agent, read as events; imports next to nothing."""
