"""Scripts that let shells complete the words of the command line."""
