"""Code blocks and links of the Markdown documents, for the tests and for run_documented_commands.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

_BLOCK = re.compile(
    r"^(?:<!-- run: (?P<marker>\w+) -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
MARKERS = {None, "slow", "no", "slicer"}
"""<!-- run: MARKER --> before a block: slow, only with --slow; no, never; slicer, in Slicer's Python."""


@dataclass(frozen=True)
class Block:
    """A fenced block of code: its first line's number, language ("" for commands), marker and text."""

    path: Path
    line: int
    language: str
    marker: str | None
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.path.relative_to(REPOSITORY).as_posix()}:{self.line}"

    def commands(self) -> list[str]:
        """The command lines: continued lines joined, comments left out, variables that the block sets filled in."""
        found, variables = [], {}
        for line in self.text.replace("\\\n", " ").splitlines():
            command = re.sub(r"\s+#.*", "", line).strip()
            assignment = re.fullmatch(r"(\w+)='(.*)'", command)
            if assignment:
                variables[assignment[1]] = assignment[2]
            elif command and command[0] != "#":
                found.append(re.sub(r"\$(\w+)", lambda name: variables[name[1]], command))
        return found


def documents() -> list[Path]:
    """README.md and what lies beside it, Documentation/ and the READMEs of folders."""
    found = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "Documentation").glob("*.md"))]
    return found + sorted((*REPOSITORY.glob("Resources/**/*.md"), *REPOSITORY.glob("Testing/**/*.md")))


def blocks(path: Path) -> Iterator[Block]:
    """The code blocks of a document."""
    text = path.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(path, line, found["language"], found["marker"], found["text"])


def links(path: Path) -> Iterator[str]:
    """Targets of links and pictures, those in code left out."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    yield from _LINK.findall(text)


def anchors(path: Path) -> set[str]:
    """What links may point to in a document, as GitHub names its headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {anchor_of(heading) for heading in headings}


def anchor_of(heading: str) -> str:
    """The name of a heading in links, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
