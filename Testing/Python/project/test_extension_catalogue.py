"""The entry for the Extensions Index follows the Index's own rules, and the rules refuse what the Index refuses.

The rules are in Testing/Tools/check_extension_entry.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import check_extension_entry as rules
import pytest
from paths import REPOSITORY

NAME = "LightMedSeg"
CMAKE = """project(LightMedSeg)
set(EXTENSION_HOMEPAGE "https://github.com/x/SlicerLightMedSeg")
set(EXTENSION_CATEGORY "Segmentation")
set(EXTENSION_ICONURL "https://raw.githubusercontent.com/x/SlicerLightMedSeg/main/icon.png")
set(EXTENSION_SCREENSHOTURLS "https://raw.githubusercontent.com/x/SlicerLightMedSeg/main/a.jpg")
set(EXTENSION_DEPENDS "PyTorch")
set(EXTENSION_BUILD_SUBDIRECTORY ".")
"""


def entry() -> dict[str, Any]:
    return dict(json.loads(rules.ENTRY.read_text(encoding="utf-8")))


def write_entry(path: Path, **changes: Any) -> Path:
    """The repository's entry with changes; None leaves a key out."""
    changed = {key: value for key, value in (entry() | changes).items() if value is not None}
    path.write_text(json.dumps(changed, indent=2) + "\n", encoding="utf-8", newline="\n")
    return path


def write_repository(folder: Path, cmake: str = CMAKE) -> Path:
    """The least that the Index accepts."""
    (folder / "CMakeLists.txt").write_text(cmake, encoding="utf-8")
    (folder / "LICENSE.txt").write_text("Apache License")
    (folder / "icon.png").write_bytes(b"\x89PNG")
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return folder


def test_entry_and_repository_follow_the_rules_of_the_index() -> None:
    assert rules.entry_problems(rules.ENTRY) == []
    assert rules.repository_problems(REPOSITORY, NAME) == []
    assert rules.agreement_problems(rules.ENTRY, REPOSITORY) == []
    assert rules.ENTRY.stem == NAME


def test_a_sound_entry_and_repository_have_no_problems(tmp_path: Path) -> None:
    assert rules.entry_problems(write_entry(tmp_path / "LightMedSeg.json", enabled=True, scm_type="git")) == []
    assert rules.repository_problems(write_repository(tmp_path), NAME) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"icon": "LightMedSeg.png"}, "'icon' was unexpected"),
        ({"scm_url": None}, "'scm_url' is a required property"),
        ({"$schema": rules.SCHEMA_URL.replace("1.0.2", "1.0.0")}, "Not as the schema asks"),
        ({"scm_type": "svn"}, "'svn' is not one of"),
        ({"tier": "3"}, "is not of type 'integer'"),
        ({"tier": 6}, "greater than the maximum"),
        ({"tier": 2}, "Tier 2 is not described"),
        ({"category": "Artificial Intelligence"}, "category Artificial Intelligence is unknown"),
        ({"build_dependencies": ["torch"]}, "Not in the Index: torch"),
        ({"scm_url": "git@github.com:x/SlicerLightMedSeg"}, "no address"),
        ({"scm_url": "ssh://github.com/x/SlicerLightMedSeg"}, "no address"),
        ({"scm_url": "https://github.com/x/LightMedSeg"}, "does not contain Slicer"),
    ],
)
def test_a_wrong_entry_is_told(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    found = rules.entry_problems(write_entry(tmp_path / "LightMedSeg.json", **changes))
    assert any(problem in one for one in found), found


def test_the_name_and_the_form_of_the_file_are_checked(tmp_path: Path) -> None:
    assert "begins with Slicer" in rules.entry_problems(write_entry(tmp_path / "SlicerLightMedSeg.json"))[0]
    path = write_entry(tmp_path / "LightMedSeg.json")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "line ends" in rules.entry_problems(path)[0]
    path.write_text("{\n", encoding="utf-8")
    assert "no JSON" in rules.entry_problems(path)[-1]


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("project(LightMedSeg)", "project(Light)", "is not LightMedSeg"),
        ("EXTENSION_ICONURL", "EXTENSION_ICON", "EXTENSION_ICONURL is not set"),
        ("main/a.jpg", "main/b.jpg", "b.jpg is no picture"),
        ("raw.githubusercontent.com/x/SlicerLightMedSeg/main/icon.png", "github.com/x/icon.png", "is no picture"),
    ],
)
def test_a_wrong_repository_is_told(tmp_path: Path, before: str, after: str, problem: str) -> None:
    found = rules.repository_problems(write_repository(tmp_path, CMAKE.replace(before, after)), NAME)
    assert len(found) == 1 and problem in found[0]


def test_missing_files_of_a_repository_are_told(tmp_path: Path) -> None:
    problems = rules.repository_problems(tmp_path, NAME)
    assert len(problems) == 2 and "licence" in problems[0] and "CMakeLists.txt" in problems[1]


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [("PyTorch", "NA", "DEPENDS"), ("Segmentation", "Utilities", "CATEGORY"), ('"."', '"inner"', "BUILD_SUBDIRECTORY")],
)
def test_a_contradiction_of_entry_and_cmake_file_is_told(tmp_path: Path, before: str, after: str, field: str) -> None:
    path = write_entry(tmp_path / "LightMedSeg.json", scm_url="https://github.com/x/SlicerLightMedSeg")
    write_repository(tmp_path)
    assert rules.agreement_problems(path, tmp_path) == []
    write_repository(tmp_path, CMAKE.replace(before, after))
    (problem,) = rules.agreement_problems(path, tmp_path)
    assert f"EXTENSION_{field}" in problem


def test_the_contributors_are_the_project_and_several_screenshots_are_listed() -> None:
    fields = rules.cmake_fields(REPOSITORY)
    assert fields["CONTRIBUTORS"] == "LightMedSeg contributors"
    assert len(fields["SCREENSHOTURLS"].split()) >= 2
    home = fields["HOMEPAGE"].replace("github.com", "raw.githubusercontent.com")
    assert all(url.startswith(f"{home}/main/") for url in (fields["ICONURL"], *fields["SCREENSHOTURLS"].split()))


def test_the_description_is_short_and_names_the_licence() -> None:
    text = rules.cmake_fields(REPOSITORY)["DESCRIPTION"]
    assert len(text) < 400 and "Apache-2.0" in text and "not a medical device" in text
    assert "Apache License" in (REPOSITORY / "LICENSE.txt").read_text(encoding="utf-8")


def test_every_sample_of_the_tutorial_is_offered_by_slicers_sample_data_module() -> None:
    """A registered sample has a checksum; the registration itself is tested in test_module_samples.py."""
    source = (REPOSITORY / "LightMedSegLib" / "gui" / "segment" / "samples.py").read_text(encoding="utf-8")
    for path in (REPOSITORY / "Resources" / "SampleData").glob("*.nii.gz"):
        names = (REPOSITORY / "LightMedSegLib" / "io" / "sample_data.py").read_text(encoding="utf-8")
        short = re.search(rf'"(\w+)": "{re.escape(path.name)}"', names)
        assert short is not None and f'"{short[1]}": "SHA256:' in source, path.name
