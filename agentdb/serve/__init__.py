"""Takes what agents emit: OTLP and hooks over HTTP, written into the database."""
