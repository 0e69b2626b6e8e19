"""One training run from a parent model on the crops of some cases."""
