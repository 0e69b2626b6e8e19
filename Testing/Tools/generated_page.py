"""Writing a page that is made from files, or saying whether the one there is current."""

from __future__ import annotations

import argparse
from pathlib import Path


def write_or_check(page: Path, text: str, description: str | None) -> int:
    """Write text to page; with --check on the command line only compare. Returns the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        page.write_text(text, encoding="utf-8")
        return 0
    current = page.is_file() and page.read_text(encoding="utf-8") == text
    print("current" if current else f"{page.name} is not current; run its script in Testing/Tools.")
    return 0 if current else 1
