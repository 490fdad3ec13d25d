"""The page in a real browser: chromium, with scripts and without."""
