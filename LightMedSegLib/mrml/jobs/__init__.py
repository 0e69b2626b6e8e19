"""Work beside the user interface: one worker thread, its jobs and their states."""
