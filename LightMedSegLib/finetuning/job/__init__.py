"""A whole fine-tuning job, from its description to the candidate version."""
