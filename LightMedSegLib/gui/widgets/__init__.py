"""Small helpers for Qt widgets that several sections use."""
