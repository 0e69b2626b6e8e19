"""Training cases: their files, lists of cases, and dataset descriptions."""
