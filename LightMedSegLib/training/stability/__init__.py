"""Noticing a training that diverges, and bringing it back."""
