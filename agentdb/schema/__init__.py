"""The installation: code, comparison with the release, the transaction around both."""
