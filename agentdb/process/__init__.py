"""Children, threads and signals."""
