"""What a process of its own has to do with the system: signals, standard streams, forked processes."""
