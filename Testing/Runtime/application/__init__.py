"""Stand-ins for slicer.app, slicer.modules and the main window over the real MRML scene and module logics."""
