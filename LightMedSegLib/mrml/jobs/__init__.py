"""Work in the background: one worker thread, its jobs and their states."""
