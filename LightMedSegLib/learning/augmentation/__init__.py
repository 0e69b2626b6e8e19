"""Random changes of position and intensity, made on the device for a whole batch."""
