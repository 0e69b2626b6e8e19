"""Cases to learn from: their files, lists of them, and descriptions of datasets."""
