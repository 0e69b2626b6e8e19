"""Training by prompts: objects, wrong masks to correct, and a simulated user who prompts in the deepest error."""
