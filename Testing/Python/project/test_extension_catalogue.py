"""The entry for the Extensions Index: what its own checks ask for, and agreement with the root CMakeLists.txt.

The rules are those of Slicer's schema for catalogue entries, version 1.0.1, and of the Index's
check_description_files.py and pull request template.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from paths import REPOSITORY

ENTRY = REPOSITORY / "Documentation" / "LightMedSeg.json"
SCHEMA_URL = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
)
RULES: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "category", "scm_url"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": SCHEMA_URL},
        "category": {"enum": ["Active Learning", "Neuroimaging", "Radiotherapy", "Segmentation"]},
        "scm_url": {"type": "string", "pattern": r"^https://github\.com/[^/]+/Slicer(Extension)?[-_]?\w+$"},
        "scm_revision": {"type": "string", "minLength": 1},
        "scm_type": {"enum": ["git", "local"]},
        "build_dependencies": {"type": "array", "items": {"enum": ["PyTorch"]}, "uniqueItems": True},
        "build_subdirectory": {"type": "string"},
        "enabled": {"type": "boolean"},
        "tier": {"type": "integer", "enum": [1, 3, 5]},
    },
}
"""Of the categories only those that this extension could be in; of the extensions only those that it may need."""


def entry() -> dict[str, Any]:
    return dict(json.loads(ENTRY.read_text(encoding="utf-8")))


def fields() -> dict[str, str]:
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    # As the Index reads them: in quotes, on one line.
    return dict(re.findall(r'set\(EXTENSION_(\w+) "([^"\n]+)"\)', text))


def local_file(url: str) -> Path:
    """The file of this repository that a raw address on the main branch will show."""
    start = fields()["HOMEPAGE"].replace("github.com", "raw.githubusercontent.com") + "/main/"
    assert url.startswith(start), url
    return REPOSITORY / url.removeprefix(start)


def test_the_entry_follows_the_rules_of_the_index() -> None:
    jsonschema.validate(entry(), RULES)


@pytest.mark.parametrize(
    ("key", "value"),
    [("tier", 2), ("category", "Artificial Intelligence"), ("scm_url", "git@github.com:x/SlicerLightMedSeg"),
     ("scm_url", "https://github.com/x/LightMedSeg"), ("build_dependencies", ["torch"]), ("icon", "LightMedSeg.png")],
)  # fmt: skip
def test_the_rules_refuse_what_the_index_refuses(key: str, value: Any) -> None:
    wrong = copy.deepcopy(entry())
    wrong[key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, RULES)


def test_the_file_is_formatted_as_the_index_formats_its_files() -> None:
    raw = ENTRY.read_bytes()
    assert b"\r" not in raw and b"\t" not in raw and raw.endswith(b"}\n")
    assert all(line.startswith((b"  ", b"{", b"}")) for line in raw.splitlines())


def test_entry_and_cmake_file_agree() -> None:
    project = re.search(r"project\((\w+)\)", (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert project is not None and project[1] == ENTRY.stem and not ENTRY.stem.startswith("Slicer")
    found = fields()
    assert entry()["scm_url"] == found["HOMEPAGE"]
    assert entry()["category"] == found["CATEGORY"]
    assert entry()["build_dependencies"] == found["DEPENDS"].split()
    assert entry()["build_subdirectory"] == found["BUILD_SUBDIRECTORY"]


def test_icon_and_screenshots_are_pictures_in_the_repository() -> None:
    found = fields()
    urls = [found["ICONURL"], *found["SCREENSHOTURLS"].split()]
    assert len(urls) >= 3
    for url in urls:
        assert local_file(url).read_bytes().startswith(b"\x89PNG"), url


def test_the_description_is_short_and_names_the_licence() -> None:
    text = fields()["DESCRIPTION"]
    assert len(text) < 400 and "Apache-2.0" in text and "not a medical device" in text
    assert "Apache License" in (REPOSITORY / "LICENSE.txt").read_text(encoding="utf-8")


def test_every_sample_of_the_tutorial_is_offered_by_slicers_sample_data_module() -> None:
    """A registered sample has a checksum; the registration itself is tested in test_module_samples.py."""
    source = (REPOSITORY / "LightMedSegLib" / "gui" / "segment" / "samples.py").read_text(encoding="utf-8")
    for path in (REPOSITORY / "Resources" / "SampleData").glob("*.nii.gz"):
        names = (REPOSITORY / "LightMedSegLib" / "io" / "sample_data.py").read_text(encoding="utf-8")
        short = re.search(rf'"(\w+)": "{re.escape(path.name)}"', names)
        assert short is not None and f'"{short[1]}": "SHA256:' in source, path.name
