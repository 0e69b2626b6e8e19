"""What becomes of results: checks before the computing, and a place for what cannot be written."""
