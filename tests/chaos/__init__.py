"""Processes of agents die, are replaced and killed at random; whose is what stays true."""
