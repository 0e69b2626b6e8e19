"""What ``lightmedseg segment`` does for a folder of scans, and what it tells about results."""
