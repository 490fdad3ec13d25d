"""What each page shows: a question to the database, and a template for its answer."""
