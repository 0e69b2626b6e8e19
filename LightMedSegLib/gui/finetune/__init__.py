"""The Fine-tune part of the panel: cases, job, verdict and versions."""
