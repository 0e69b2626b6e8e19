"""The command line ``lightmedseg``.

Exit codes: 0 done; 2 the user can do something about it (one sentence on standard error); 3 no model suits a scan, or
a warning with --strict; 130 interrupted (128 and the signal's number); 141 nobody reads the output any more. Anything
else is a defect of ours and shows its traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from LightMedSegLib import __version__
from LightMedSegLib.cli import auto, bids, cases, evaluate, export, finetune, interact, models, segment, train
from LightMedSegLib.cli.completing import command as completion
from LightMedSegLib.cli.parser import SentenceParser
from LightMedSegLib.core.console import print_every_character
from LightMedSegLib.core.errors import CancelledError, DoubtfulResultError, LightMedSegError
from LightMedSegLib.core.process import interruption
from LightMedSegLib.core.process.standard_streams import CLOSED_PIPE, complain
from LightMedSegLib.core.torch_loading import let_waiting_threads_sleep

USER_ERROR = 2
DOUBTFUL = 3

_DESCRIPTION = "Light-weight 3D segmentation of medical images. For research; not a medical device."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; argv are the words after the program's name."""
    print_every_character()
    let_waiting_threads_sleep()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parser(words).parse_args(words)
        return int(arguments.run(arguments))
    except SystemExit as request:
        # argparse ends the program itself for --help, --version and wrong arguments.
        return request.code if isinstance(request.code, int) else USER_ERROR
    except CancelledError as error:
        complain(str(error))
        return interruption.exit_code()
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) or interruption.received():
            complain(interruption.SENTENCE)
            return interruption.exit_code()
        if isinstance(error, BrokenPipeError):
            return CLOSED_PIPE
        sentence = _sentence(error)
        if not sentence:
            raise
        complain(sentence)
        return DOUBTFUL if isinstance(error, DoubtfulResultError) else USER_ERROR


def _sentence(error: BaseException) -> str:
    """What to tell about an error that is no defect of ours; "" for any other."""
    if isinstance(error, LightMedSegError):
        return str(error)
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{os.fsdecode(error.filename)} cannot be used: {reason}." if error.filename else f"{reason}."
    return ""


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
    bids.add_command(commands)
    interact.add_command(commands)
    auto.add_command(commands)
    evaluate.add_command(commands)
    train.add_command(commands, chosen=words[:1] in ([train.NAME], [completion.NAME]))
    finetune.add_command(commands)
    cases.add_command(commands)
    export.add_command(commands)
    completion.add_command(commands, parser)
    return parser
