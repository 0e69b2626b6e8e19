"""The option --labels: names and values, between commas or as words."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from LightMedSegLib.cli.parser import SentenceParser, named


def add_labels(parser: SentenceParser, what: str) -> None:
    """Add --labels, of which the arguments are a tuple of names and values; what: its help."""
    parser.add_words("--labels", type=_words, action=_Together, default=(), metavar="LABEL", help=what)


class _Together(argparse.Action):
    """Joins the labels of all words of the option."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        groups: Sequence[tuple[str, ...]] = values if isinstance(values, list) else [values]
        setattr(namespace, self.dest, tuple(label for group in groups for label in group))


def _words(text: str) -> tuple[str, ...]:
    return tuple(named(word).strip() for word in text.split(","))
