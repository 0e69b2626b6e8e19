"""New models from a few segmented scans: the package that their training begins with, and its settings."""
