"""Rules asked about the past, and looked at before they are used."""
