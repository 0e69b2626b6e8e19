"""What a scan looks like to a model, and whether a result can be: warnings before and after a run."""
