"""What training and fine-tuning share: prepared cases, batches, losses, averaging and checkpoints."""
