"""Reading and writing numbers as files have them, whatever the country of the session."""

from __future__ import annotations

import functools
import locale
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


def decimal_points(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, called with a decimal point for the C libraries below ITK.

    Where the program around us has set the locale of a country with decimal commas, they would read the spacing 0.7 of
    a text header as 0, and write 0,7. The setting belongs to the process, so it is only touched where it is wrong.
    """

    @functools.wraps(function)
    def with_points(*arguments: _P.args, **options: _P.kwargs) -> _R:
        if locale.localeconv()["decimal_point"] == ".":
            return function(*arguments, **options)
        before = locale.setlocale(locale.LC_NUMERIC)
        locale.setlocale(locale.LC_NUMERIC, "C")
        try:
            return function(*arguments, **options)
        finally:
            locale.setlocale(locale.LC_NUMERIC, before)

    return with_points
