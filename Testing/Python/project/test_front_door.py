"""What a visitor of the repository finds first agrees with the program: addresses, version, citation, hooks."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from paths import REPOSITORY
from patience import limit

import LightMedSegLib

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def home() -> str:
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(r'EXTENSION_HOMEPAGE "(.*)"', text)
    assert found
    return found[1]


def hooks() -> dict[str, dict[str, Any]]:
    configuration = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    # Hooks of elsewhere would be downloaded, in versions of their own.
    assert {repository["repo"] for repository in configuration["repos"]} == {"local"}
    return {hook["id"]: hook for repository in configuration["repos"] for hook in repository["hooks"]}


def test_addresses_are_those_of_the_extension() -> None:
    urls = PROJECT["urls"]
    assert urls["Homepage"] == home()
    assert all(url.startswith(home()) for url in urls.values())
    for url in urls.values():
        path = re.sub(r"^/(blob|tree)/main/", "", url.removeprefix(home()))
        assert path in ("", "/issues") or (REPOSITORY / path).exists(), url


def test_the_change_log_has_the_version_and_the_kinds_of_changes_of_keep_a_changelog() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^# Changelog$", text, re.MULTILINE)
    versions = re.findall(r"^## \[([\d.]+)\] - (?:Unreleased|\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert versions[0] == LightMedSegLib.__version__
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= {
        "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security",
    }  # fmt: skip
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(versions)


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["version"] == LightMedSegLib.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == home()
    assert citation["authors"] == [{"name": "LightMedSeg contributors"}]
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert [author["family-names"] for author in paper["authors"]] == ["Tyagi", "Rathi", "Goyal"]
    assert paper["url"].endswith("2603.07228") and "2603.07228" in paper["identifiers"][0]["value"]
    assert paper["title"] in " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())


def test_contributing_is_short_and_the_readme_leads_there() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    assert "(CONTRIBUTING.md)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_hooks_are_programs_of_the_test_environment() -> None:
    packages = {re.split(r"[\[<>=;! ]", line)[0] for line in PROJECT["optional-dependencies"]["test"]}
    assert hooks().keys() == {"ruff-check", "ruff-format", "mypy"}
    for hook in hooks().values():
        assert hook["language"] == "system"
        assert shlex.split(hook["entry"])[0] in packages


@pytest.mark.parametrize(
    ("hook", "text"),
    [
        ("ruff-check", "import os\n"),
        ("ruff-format", "x = {  'a':1 }\n"),
        ("mypy", '"""A module."""\n\nnumber: int = "one"\n'),
    ],
)
def test_a_hook_refuses_a_file_that_is_wrong(tmp_path: Path, hook: str, text: str) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(text, encoding="utf-8")
    right = tmp_path / "right.py"
    right.write_text('"""A module."""\n\nnumber: int = 1\n', encoding="utf-8")
    command = [sys.executable, "-m", *shlex.split(hooks()[hook]["entry"])]
    if hook == "mypy":
        command += ["--cache-dir", str(tmp_path / "cache")]
    assert run([*command, str(right)], tmp_path) == 0
    changed = run([*command, str(path)], tmp_path) != 0 or path.read_text(encoding="utf-8") != text
    assert changed, "pre-commit stops at an exit code, and at a file that a hook changed"


def run(command: list[str], folder: Path) -> int:
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=limit(120), check=False).returncode


def test_types_of_the_package_are_for_others_too() -> None:
    assert (REPOSITORY / "LightMedSegLib" / "py.typed").is_file()
    assert "Typing :: Typed" in PROJECT["classifiers"]
