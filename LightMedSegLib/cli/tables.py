"""Plain text tables and numbers for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two blanks apart; a column of numbers is aligned to the right, any other to the left."""
    columns = list(zip(header, *rows, strict=True))
    numeric = [all(_is_numeric(cell) for cell in column[1:]) and len(column) > 1 for column in columns]
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = []
    for row in (header, ["-" * width for width in widths], *rows):
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def format_number(value: float, digits: int) -> str:
    """A number with fixed digits; a dash where there is none (nan)."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _is_numeric(cell: str) -> bool:
    try:
        float(cell.replace(",", ""))
    except ValueError:
        return cell in ("", "-")
    return True
