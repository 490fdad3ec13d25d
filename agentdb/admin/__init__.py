"""What operators and people on call do to the database."""
