"""The live board in the terminal: `agentdb top`."""
