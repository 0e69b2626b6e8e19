"""Draws the legends of the pictures in Documentation/results.md: the colour of each structure of a model.

    python Testing/Tools/make_legends.py [--check]

The colours are those of the model's card. Structures of both sides have one entry where they share a colour. --check
writes nothing and exits with 1 where a legend is not current.
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from make_results_page import tests  # noqa: E402

from LightMedSegLib.io.pictures.legend import legend_entries  # noqa: E402
from LightMedSegLib.model.card import ModelCard  # noqa: E402
from LightMedSegLib.model.store import resolve_model  # noqa: E402

PICTURES = ROOT / "Documentation" / "pictures"
COLUMNS, WIDTH, LINE, MARGIN = 3, 1080, 26, 10


def path_of(model: str) -> Path:
    """Return where the legend of a model lies."""
    return PICTURES / f"legend-{model}.svg"


def entries(card: ModelCard) -> dict[str, str]:
    """Return the colour (#rrggbb) of each name."""
    return {name: "#{:02x}{:02x}{:02x}".format(*color) for name, color in legend_entries(card.labels).items()}


def legend(card: ModelCard) -> str:
    """Return the legend as SVG, readable on a bright and on a dark page."""
    names = entries(card)
    lines = -(-len(names) // COLUMNS)
    parts = []
    for place, (name, color) in enumerate(names.items()):
        x = MARGIN + place // lines * (WIDTH // COLUMNS)
        y = MARGIN + place % lines * LINE
        parts.append(f'<rect x="{x}" y="{y}" width="28" height="18" fill="{color}" stroke="#555"/>')
        parts.append(f'<text x="{x + 38}" y="{y + 15}">{escape(name)}</text>')
    height = 2 * MARGIN + lines * LINE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"\n'
        '     font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="15">\n'
        f"<title>{escape(card.title)}: colours of the structures</title>\n"
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def legends() -> dict[Path, str]:
    """Return the text of each legend that results.md shows."""
    models = [folder.name for folder, test in tests() if test.get("pictures")]
    return {path_of(model): legend(resolve_model(model).card) for model in models}


def main() -> int:
    """Write the legends, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    old = [path for path, text in legends().items() if not path.is_file() or path.read_text("utf-8") != text]
    if check:
        print("\n".join(f"{path.name} is not current." for path in old) or "current")
        return 1 if old else 0
    for path, text in legends().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
