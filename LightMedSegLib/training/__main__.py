"""``python -m LightMedSegLib.training``: train from a configuration file."""

from __future__ import annotations

import argparse
import sys

from LightMedSegLib.core.console import print_every_character
from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.training.command import add_arguments, run


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, train, and return the exit code (2: a problem that the user can act on; 130: Ctrl+C)."""
    parser = argparse.ArgumentParser(prog="python -m LightMedSegLib.training", description=__doc__)
    add_arguments(parser)
    print_every_character()
    try:
        return run(parser.parse_args(arguments))
    except KeyboardInterrupt:
        print("lightmedseg: interrupted; the same command goes on from the last checkpoint.", file=sys.stderr)
        return 130
    except LightMedSegError as error:
        print(f"lightmedseg: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
