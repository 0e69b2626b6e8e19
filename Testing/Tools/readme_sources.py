"""Prints each statement of README.md with what shows it, and what is wrong with that list.

    python Testing/Tools/readme_sources.py [--missing]

A statement is a sentence, a row of a table, a caption or a comment of a command. SOURCES has the sources of each, below
its heading; there "#" stands for a figure, so that the list stays as it is when a figure changes. A source is

- a command that stands in a block of code of the documents, where tests check or run it,
- a test, as test_file.py::test_name,
- a file or picture, as a path from the root; with #heading one section of a page.

Every figure of a statement must stand in one of its sources, in a paragraph or row that has a word of it too. --missing
prints only statements without a source, as they are written in SOURCES. The exit code is 1 if something is wrong.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from documents import REPOSITORY, anchor_of, anchors, blocks, documents
from readme_statements import Statement, figures_of_source, statements

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

README = REPOSITORY / "README.md"
TESTS = REPOSITORY / "Testing" / "Python"
SOURCES = TESTS / "project" / "readme-sources.toml"
PROGRAMS = ("lightmedseg", "make", "pip", "python")
PICTURES = {".png", ".svg"}


def sources(path: Path = SOURCES) -> dict[tuple[str, str], list[str]]:
    """Return the names of the sources of each statement, by its heading and its text with "#" for figures."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))
    return {(heading, text): names for heading, entries in listed.items() for text, names in entries.items()}


def find(name: str) -> str:
    """Return the text of the source of this name, "" of pictures and commands; raises LookupError if there is none."""
    if name.split()[0] in PROGRAMS:
        if name not in documented_commands():
            raise LookupError(f"no document has the command {name}")
        return ""
    if "::" in name:
        return _test(*name.split("::"))
    place, _, anchor = name.partition("#")
    path = REPOSITORY / place
    if not path.exists():
        raise LookupError(f"{place} does not exist")
    if path.is_dir() or path.suffix in PICTURES:
        return ""
    text = path.read_text(encoding="utf-8")
    return _section(path, text, anchor) if anchor else text


@cache
def documented_commands() -> frozenset[str]:
    """Return every command of the blocks of code of all documents."""
    found = (block for path in documents() for block in blocks(path) if not block.language)
    return frozenset(command for block in found for command in block.commands())


def _test(file: str, name: str) -> str:
    """Return the text of a test, with its decorators."""
    for path in TESTS.rglob(file):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    raise LookupError(f"there is no test {file}::{name}")


def _section(path: Path, text: str, anchor: str) -> str:
    """Return what stands below a heading, up to the next one of the same or a higher level."""
    if anchor not in anchors(path):
        raise LookupError(f"{path.name} has no heading #{anchor}")
    lines, level = [], 0
    for line in text.splitlines():
        heading = re.match(r"(#+) (.*)", line)
        if heading and level and len(heading[1]) <= level:
            break
        if heading and not level and anchor_of(heading[2]) == anchor:
            level = len(heading[1])
        if level:
            lines.append(line)
    return "\n".join(lines)


def _parts(text: str, statement: str) -> list[str]:
    """Return the paragraphs and rows of a text that have a word of the statement, of five letters or more."""
    words = {word.lower() for word in re.findall(r"[A-Za-z]{5,}", statement)}
    parts = re.split(r"\n\s*\n|\n(?=\|)", text)
    return [part for part in parts if any(word in part.lower() for word in words)]


def problems(found: list[Statement], listed: dict[tuple[str, str], list[str]]) -> Iterator[str]:
    """Yield what is wrong: statements without entry, entries without statement or source, figures without source."""
    keys = {one.key for one in found}
    for heading, text in listed.keys() - keys:
        yield f"README.md does not say this any more, below {heading!r}: {text}"
    for one in found:
        if not listed.get(one.key):
            yield f"README.md:{one.line}: no source for: {one.masked}"
            continue
        texts = []
        for name in listed[one.key]:
            try:
                texts.append(find(name))
            except LookupError as reason:
                yield f"README.md:{one.line}: {reason}"
        there = {figure for text in texts for part in _parts(text, one.text) for figure in figures_of_source(part)}
        for figure in sorted(one.figures() - there):
            yield f"README.md:{one.line}: {figure} is in none of {', '.join(listed[one.key])}"


def main() -> int:
    """Print the list, then what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missing", action="store_true", help="only statements without a source, for SOURCES")
    arguments = parser.parse_args()
    found, listed = statements(README.read_text(encoding="utf-8")), sources()
    heading = ""
    for one in found:
        if arguments.missing and listed.get(one.key):
            continue
        if one.heading != heading:
            heading = one.heading
            print(f'\n["{heading}"]')
        if arguments.missing:
            print(f"{json.dumps(one.masked, ensure_ascii=False)} = []")
        else:
            print(f"- {one.text}", *(f"    {name}" for name in listed.get(one.key, [])), sep="\n")
    wrong = list(problems(found, listed))
    print(*wrong, sep="\n", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
