"""Semantic versions: MAJOR.MINOR.PATCH with an optional -prerelease."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

# Lower case only: versions become folder names, and some file systems do not tell "RC" from "rc".
_PATTERN = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[a-z-][0-9a-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-z-][0-9a-z-]*))*))?"
)


@total_ordering
@dataclass(frozen=True)
class Version:
    """A version that compares as semver.org says: 1.0.0-rc.2 < 1.0.0-rc.10 < 1.0.0 < 1.0.1."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``"1.2.3"`` or ``"1.2.3-rc.1"``; anything else is a ValueError."""
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a version of the form 1.2.3 or 1.2.3-rc.1")
        major, minor, patch, prerelease = match.groups()
        return cls(int(major), int(minor), int(patch), tuple(prerelease.split(".")) if prerelease else ())

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        return f"{text}-{'.'.join(self.prerelease)}" if self.prerelease else text

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]:
        # Numbers sort below words and by value; a release sorts above all of its prereleases.
        parts = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in self.prerelease)
        return self.major, self.minor, self.patch, not self.prerelease, parts
