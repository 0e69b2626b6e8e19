"""Fine-tuning processes with normal priority: with their own low one they hardly move on a busy computer."""

KEEP = "import os; os.nice = lambda more: 0; "
"""To be put before a program that lowers its priority."""
