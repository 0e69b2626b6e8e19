"""The network over a volume window by window: where windows lie, how they are weighted, and what becomes of them."""
