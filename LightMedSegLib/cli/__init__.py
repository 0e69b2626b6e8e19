"""The command line ``lightmedseg``.

Exit codes: 0 done; 2 the user can do something about it (one sentence on standard error); 3 a warning with --strict,
or no model that suits; 130 interrupted.
Anything else is a defect of ours and shows its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from LightMedSegLib import __version__
from LightMedSegLib.cli import auto, cases, evaluate, export, finetune, models, segment, train
from LightMedSegLib.cli.parser import SentenceParser
from LightMedSegLib.core.errors import CancelledError, DoubtfulResultError, LightMedSegError
from LightMedSegLib.core.torch_loading import let_waiting_threads_sleep

USER_ERROR = 2
DOUBTFUL = 3
INTERRUPTED = 130

_DESCRIPTION = "Light-weight 3D segmentation of medical images. For research; not a medical device."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; argv are the words after the program's name."""
    let_waiting_threads_sleep()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parser(words).parse_args(words)
        return int(arguments.run(arguments))
    except CancelledError as error:
        print(f"lightmedseg: {error}", file=sys.stderr)
        return INTERRUPTED
    except DoubtfulResultError as error:
        print(f"lightmedseg: {error}", file=sys.stderr)
        return DOUBTFUL
    except LightMedSegError as error:
        print(f"lightmedseg: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("lightmedseg: interrupted; nothing was written.", file=sys.stderr)
        return INTERRUPTED
    except SystemExit as request:
        # argparse ends the program itself for --help, --version and wrong arguments.
        return request.code if isinstance(request.code, int) else USER_ERROR


def _help(parser: SentenceParser) -> int:
    parser.print_help()
    return 0


def _parser(words: Sequence[str]) -> SentenceParser:
    parser = SentenceParser(prog="lightmedseg", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"lightmedseg {__version__}")
    parser.set_defaults(run=lambda _: _help(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    models.add_command(commands)
    segment.add_command(commands)
    auto.add_command(commands)
    evaluate.add_command(commands)
    train.add_command(commands, chosen=words[:1] == [train.NAME])
    finetune.add_command(commands)
    cases.add_command(commands)
    export.add_command(commands)
    return parser
