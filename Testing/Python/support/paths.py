"""Where the repository and the modules beside this one lie."""

from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
REPOSITORY = SUPPORT.parents[2]
