"""The text form of a training configuration: reading and writing."""
