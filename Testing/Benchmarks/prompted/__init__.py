"""What the benchmarks of prompts share: cases, the automatic user, methods to compare with, tables and plots."""
