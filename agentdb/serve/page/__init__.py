"""The page: what the person on call and the reviewer read, and act on."""
