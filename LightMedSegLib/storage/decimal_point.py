"""Reading and writing numbers with a decimal point, whatever the locale of the process."""

from __future__ import annotations

import functools
import locale
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


def decimal_points(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return the function, wrapped so that the C libraries below ITK use a decimal point.

    If the host program has set a locale with decimal commas, they would read the spacing 0.7 of a text header as 0,
    and write 0,7. The locale belongs to the process, so it is changed only where it is wrong.
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
