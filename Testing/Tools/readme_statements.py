"""The statements of a Markdown page: sentences, rows of tables, captions, comments of commands; and their figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NUMBER = r"(?<![\w.#])(?<!\w-)\d+(?:[.,]\d+)*(?!\w)"
_FIGURE = re.compile(rf"({_NUMBER})(\s?(?:%|(?:GB|MB|mm|s)(?!\w)))?")
_CODE = re.compile(r"(`[^`]*`)")
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_COMMENT = re.compile(r"(?:^|\s\s)# (.*)")
# Links and bold text keep private characters as marks while the text is cut into sentences.
_LINK_MARKS, _BOLD_MARKS = "\ue000\\1\ue001", "\ue002\\1\ue003"
_MARKS = re.compile("[\ue000-\ue003]")
_SENTENCE_END = re.compile("(?<=[.?!])([\ue001\ue003]*)\\s+(?=[^a-z\\s])")


@dataclass(frozen=True)
class Statement:
    """Something that a page says: the line where its paragraph begins, the heading above it, and the plain text."""

    line: int
    heading: str
    text: str

    @property
    def masked(self) -> str:
        """Return the text with "#" for every number outside of words and code."""
        parts = _CODE.split(self.text)
        return "".join(part if part.startswith("`") else re.sub(_NUMBER, "#", part) for part in parts)

    @property
    def key(self) -> tuple[str, str]:
        """Return heading and masked text: what identifies a statement while its figures change."""
        return self.heading, self.masked

    def figures(self) -> set[str]:
        """Return its numbers outside of words and code, each with its unit if it has one: {"0.875", "40", "3.8GB"}."""
        return {found[0].replace(" ", "") for found in _FIGURE.finditer(_CODE.sub("", self.text))}


def figures_of_source(text: str) -> set[str]:
    """Return all numbers of a text, with and without their units."""
    found = list(_FIGURE.finditer(text))
    return {one[1] for one in found} | {re.sub(r"\s", "", one[0]) for one in found}


def statements(page: str) -> list[Statement]:
    """Return the statements of a Markdown page in their order.

    Left out are headings, the titles of tables, questions, and what is only a link or a run-in heading in bold.
    """
    found: list[Statement] = []
    paragraph: list[str] = []
    heading, first = "", 0
    in_code = False
    rows = 0

    def flush() -> None:
        found.extend(Statement(first, heading, text) for text in _of_paragraph(" ".join(paragraph)))
        paragraph.clear()

    for number, line in enumerate(page.splitlines(), start=1):
        rows = rows + 1 if line.startswith("|") and not in_code else 0
        if line.startswith("```"):
            flush()
            in_code = not in_code
        elif in_code:
            comment = _COMMENT.search(line)
            if comment:
                found.append(Statement(number, heading, comment[1]))
        elif line.startswith("#"):
            flush()
            heading = line.lstrip("# ")
        elif rows:
            flush()
            if rows > 2:
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                found.append(Statement(number, heading, _plain(_marked(" | ".join(cells)))))
        elif not line.strip() or line.startswith("<!--"):
            flush()
        else:
            item = re.match(r"\s*(?:- |\d+\. )(.*)", line)
            if item:
                flush()
            if not paragraph:
                first = number
            paragraph.append(item[1] if item else line.strip())
    flush()
    return found


def _of_paragraph(text: str) -> Iterator[str]:
    """Yield the texts that stand for pictures, then the sentences."""
    yield from (found[1] for found in _IMAGE.finditer(text))
    for sentence in _SENTENCE_END.sub(r"\1\n", _marked(_IMAGE.sub("", text))).split("\n"):
        beside_links = re.sub("\ue000.*?\ue001", "", sentence)
        is_heading = re.fullmatch("\ue002[^\ue003]*\ue003", sentence.strip())
        if re.search(r"\w", beside_links) and not is_heading and not sentence.endswith("?"):
            yield _plain(sentence)


def _marked(text: str) -> str:
    """Return the text with marks in place of the signs for links and bold text, and without those for slanted text."""
    parts = _CODE.split(re.sub(r"\*\*(.+?)\*\*", _BOLD_MARKS, _LINK.sub(_LINK_MARKS, text)))
    return "".join(part if part.startswith("`") else part.replace("*", "") for part in parts)


def _plain(text: str) -> str:
    return _MARKS.sub("", text).strip()
