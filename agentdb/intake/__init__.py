"""What emitters say of an agent, read as events of the database; imports next to nothing."""
