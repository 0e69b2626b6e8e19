"""The evaluation of whole folders on the command line."""
