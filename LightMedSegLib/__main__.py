"""The program ``lightmedseg``, which ``python -m LightMedSegLib`` is, too.

Standard modules only, until an interrupt ends the program without a traceback.
"""

from __future__ import annotations

import os
import sys

try:
    from LightMedSegLib.core.process import interruption, standard_streams
except KeyboardInterrupt:
    os._exit(130)

_USER_ERROR = 2


def main() -> int:
    """Run the command that the program's arguments name; returns the exit code."""
    try:
        interruption.end_at_once()
        standard_streams.open_missing()
        if not _has_folder():
            standard_streams.complain("The current folder does not exist any more; change to another one.")
            return _USER_ERROR
        from LightMedSegLib import cli

        interruption.unwind()
        code = cli.main()
        interruption.ignore()
    except KeyboardInterrupt:
        standard_streams.complain(interruption.SENTENCE)
        code = interruption.exit_code()
    return _flushed(code)


def _has_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - pathlib takes longer to import
    except OSError:
        return False
    return True


def _flushed(code: int) -> int:
    from LightMedSegLib.core.errors import OutputError

    try:
        standard_streams.flush()
    except BrokenPipeError:
        return code or standard_streams.CLOSED_PIPE
    except OutputError as error:
        standard_streams.complain(str(error))
        return code or _USER_ERROR
    return code


if __name__ == "__main__":
    sys.exit(main())
