"""Semantic versions."""

from __future__ import annotations

import itertools
import random

import pytest

from LightMedSegLib.core.semver import Version

# The order of semver.org, section 11, with numbers that a comparison of texts would get wrong.
ORDERED = [
    *("0.9.9", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta"),
    *("1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.9", "1.0.10", "1.2.0", "1.10.0", "2.0.0"),
]


def test_versions_sort_as_semver_says() -> None:
    shuffled = random.Random(0).sample(ORDERED, len(ORDERED))
    assert sorted(shuffled, key=Version.parse) == ORDERED
    for earlier, later in itertools.combinations(map(Version.parse, ORDERED), 2):
        assert earlier < later
        assert later > earlier
        assert earlier != later


@pytest.mark.parametrize("text", ORDERED)
def test_a_version_is_written_as_it_was_read(text: str) -> None:
    assert str(Version.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0+build"),
        *("1.0.0\n", " 1.0.0", "1.0.0-RC", "1.0.-1", "1.0.0-a/b", "1.0.0-..", "١.٠.٠"),  # noqa: RUF001
    ],
)
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        Version.parse(text)
