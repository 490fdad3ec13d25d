"""`agentdb-hook`: what a coding agent runs at its hooks.  It starts for each event."""
