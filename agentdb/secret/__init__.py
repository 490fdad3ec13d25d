"""References to secrets, and what keeps them out of logs."""
