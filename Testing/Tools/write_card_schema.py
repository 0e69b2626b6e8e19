"""Write the model card's JSON schema, for other programs, from the record that reads the card.

    PYTHONPATH=. python Testing/Tools/write_card_schema.py

A test compares the file with the record.
"""

from __future__ import annotations

import json
from pathlib import Path

from LightMedSegLib.model import card

SCHEMA_FILE = Path(card.__file__).with_name("card_schema.json")


def schema_text() -> str:
    """The text of the file."""
    return json.dumps(card.card_schema(), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
