"""Limits in the type hints of records."""

from __future__ import annotations

from typing import Any


class Limits:
    """Limits of a value with the keywords of JSON Schema: ``Annotated[int, Limits(minimum=1)]``."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords
