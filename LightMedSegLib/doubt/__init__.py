"""What the doubt of a result tells: where to look first, and how good the result is expected to be."""
