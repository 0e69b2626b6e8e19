"""The section of the panel that leads through the doubtful places of a result."""
