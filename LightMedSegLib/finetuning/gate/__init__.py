"""Whether a fine-tuned model may be offered for adoption: held-out cases, reference set and verdict."""
