"""Looks from outside at what an agent claims: files, rows, messages, addresses."""
