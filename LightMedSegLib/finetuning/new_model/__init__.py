"""New models from a few segmented scans: how they read scans, and the package that their training begins with."""
