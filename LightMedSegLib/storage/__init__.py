"""Files that appear complete or not at all, locks, archives, strict JSON and safetensors."""
