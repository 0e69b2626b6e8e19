"""Atomic files, locks, archives, strict JSON and safetensors."""
