"""The gate for fine-tuned models: folds, reference set and verdict."""
