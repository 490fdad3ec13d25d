"""OTLP: from bodies to spans, log records and points of metrics."""
