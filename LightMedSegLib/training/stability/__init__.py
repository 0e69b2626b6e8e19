"""Detection of a diverging training, and recovery from it."""
