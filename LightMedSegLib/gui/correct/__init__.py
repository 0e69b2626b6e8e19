"""Correct by stroke: what the user paints is completed by a network, and structures are made from clicks."""
