"""agentdb and the Model Context Protocol."""
