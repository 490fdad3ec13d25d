"""What observability services give away of what they keep."""
