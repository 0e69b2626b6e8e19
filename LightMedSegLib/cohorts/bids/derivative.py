"""The files that make a folder of results a BIDS derivative: its description, README and tables of labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from LightMedSegLib import __version__
from LightMedSegLib.cohorts.bids.ignored import IGNORE_FILE
from LightMedSegLib.cohorts.bids.label_tables import LABEL_TABLE, VOLUME_COLUMNS, write_label_table
from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.io.results.output_checks import make_output_folder
from LightMedSegLib.io.scan_folders import BIDS_FILE
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card
from LightMedSegLib.storage.atomic_files import atomic_write
from LightMedSegLib.storage.strict_json import parse_json
from LightMedSegLib.storage.text_files import read_text

BIDS_VERSION = "1.11.1"
"""The version of the specification that results follow; the documentation and the tests name the same."""

GENERATOR = "LightMedSeg"
GROUP_FILES = "group_*"
SOURCE = "raw"
"""Name of the segmented dataset in BIDS URIs."""

_CODE = "https://github.com/LightMedSeg/SlicerLightMedSeg"
_README = """Segmentations by LightMedSeg

Model: {identifier}, {title}.

Each sub-*/**/anat/*_desc-lightmedseg_dseg.nii.gz has the voxel grid of the scan it was made from. The table of the same
name (.tsv) has the value, name, colour (sRGB) and volume of each structure, the sidecar (.json) the scan, the model and
warnings. desc-lightmedseg_dseg.tsv has all structures of the model. group_volumes.tsv, which "lightmedseg bids ...
group" writes, has the volumes of all scans in millilitres.

For research only. Not a medical device. A person who knows the anatomy must review every result.
"""


def prepare_derivative(dataset: Path, output: Path, card: ModelCard) -> None:
    """Create the folder of results, with what makes it a BIDS derivative; files of an earlier run are replaced.

    Raises OutputError if output lies in the dataset but not in its derivatives, or holds another dataset, files
    that the results would replace, or the results of another model or version.
    """
    check_place(dataset, output)
    described = output / BIDS_FILE
    if described.is_file():
        _refuse_others(described, card)
    else:
        _refuse_foreign_files(output)
    make_output_folder(output)
    write_text(described, json_text(_description(dataset, output, card)))
    write_text(output / "README", _README.format(identifier=card.identifier, title=card.title))
    write_text(output / IGNORE_FILE, f"{GROUP_FILES}\n")
    write_label_table(output / f"{LABEL_TABLE}.tsv", located_card(card).labels)
    about = {"Description": f"Segmentation with the model {card.identifier}", "Manual": False, **VOLUME_COLUMNS}
    write_text(output / f"{LABEL_TABLE}.json", json_text(about))


def check_place(dataset: Path, output: Path) -> None:
    """Raise OutputError if results in output would lie among the scans."""
    inside, derivatives = output.resolve(), dataset.resolve() / "derivatives"
    if inside == derivatives or (inside.is_relative_to(dataset.resolve()) and not inside.is_relative_to(derivatives)):
        raise OutputError(f"{output} lies among the scans; give {dataset / 'derivatives' / 'NAME'} or another folder.")


def source_link(dataset: Path, output: Path) -> str:
    """Return the way from the results to the dataset, or "" if they do not lie in it.

    Another way would show how the user's folders are called.
    """
    outer, inner = dataset.resolve(), output.resolve()
    return "/".join([".."] * len(inner.relative_to(outer).parts)) if inner.is_relative_to(outer) else ""


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, complete or not at all. Raises OutputError."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def json_text(content: dict[str, Any]) -> str:
    """Return content as JSON with a line for each item."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _description(dataset: Path, output: Path, card: ModelCard) -> dict[str, Any]:
    source = _content(dataset / BIDS_FILE)
    described: dict[str, Any] = {
        "Name": f"{GENERATOR} segmentations: {card.title}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": GENERATOR,
                "Version": __version__,
                "Description": f"Segmentation with the model {card.identifier}",
                "CodeURL": _CODE,
            }
        ],
    }
    link = source_link(dataset, output)
    if link:
        described["DatasetLinks"] = {SOURCE: link}
    if isinstance(source.get("DatasetDOI"), str):
        described["SourceDatasets"] = [{"DOI": source["DatasetDOI"]}]
    if isinstance(source.get("License"), str):
        described["License"] = source["License"]
    return described


def _refuse_others(described: Path, card: ModelCard) -> None:
    generators = _content(described).get("GeneratedBy")
    entries: Sequence[Any] = generators if isinstance(generators, list) else []
    ours = [one for one in entries if isinstance(one, dict) and one.get("Name") == GENERATOR]
    if not ours:
        raise OutputError(f"{described.parent} holds another dataset; choose another folder for the results.")
    made_with = str(ours[0].get("Description", "")).rpartition(" ")[2]
    if made_with != card.identifier:
        raise OutputError(
            f"{described.parent} holds results of {made_with}; choose another folder for those of {card.identifier}."
        )


def _refuse_foreign_files(output: Path) -> None:
    """Raise OutputError if a folder that holds no derivative has something that a derivative would replace."""
    names = ("sub-*", "README", IGNORE_FILE, f"{LABEL_TABLE}.*", GROUP_FILES)
    foreign = sorted(path.name for name in names for path in output.glob(name))
    if foreign:
        raise OutputError(f"{output} holds {foreign[0]}, but no {BIDS_FILE} of earlier results; choose another folder.")


def _content(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(read_text(path))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
