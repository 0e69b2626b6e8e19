"""The process and the operating system: signals, standard streams, forked processes."""
