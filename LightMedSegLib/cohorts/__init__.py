"""Many scans: finding them, sharing them out to workers, reporting."""
