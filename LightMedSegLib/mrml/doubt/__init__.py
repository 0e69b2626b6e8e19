"""The doubt of a result in the scene: a volume, its overlay in the slice views, and the places to look at."""
