"""``python -m LightMedSegLib`` is the command line ``lightmedseg``."""

from __future__ import annotations

import sys

from LightMedSegLib.cli import main

if __name__ == "__main__":
    sys.exit(main())
