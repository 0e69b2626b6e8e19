"""The check of the Python packages finds what is missing, changed or too much."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import check_packages
import pytest
from paths import REPOSITORY

METADATA = "lightmedseg-0.dist-info/METADATA"


def write_wheel(path: Path, changes: dict[str, bytes | None]) -> Path:
    """A complete wheel but for the changes; None leaves a file out."""
    contents: dict[str, bytes | None] = {
        name: file.read_bytes() for name, file in check_packages.wanted_files().items() if file.stat().st_size < 100_000
    }
    contents |= {METADATA: b"License-Expression: Apache-2.0", "lightmedseg-0.dist-info/licenses/LICENSE.txt": b""}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (contents | changes).items():
            if content is not None:
                archive.writestr(name, content)
    return path


@pytest.fixture(autouse=True)
def _small_files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {name: path for name, path in check_packages.wanted_files().items() if path.stat().st_size < 100_000}
    monkeypatch.setattr(check_packages, "wanted_files", lambda: small)


def test_a_complete_wheel_has_no_problems(tmp_path: Path) -> None:
    assert check_packages.check_wheel(write_wheel(tmp_path / "a.whl", {})) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"LightMedSegLib/__main__.py": None}, "lacks LightMedSegLib/__main__.py"),
        ({"LightMedSegLib/py.typed": None}, "lacks LightMedSegLib/py.typed"),
        ({"LightMedSegLib/_resources/Models/hippocampus-t1-mr/model.json": b"{}"}, "model.json of a.whl differs"),
        ({"LightMedSegLib/secret.py": b""}, "has LightMedSegLib/secret.py, which is not in the repository"),
        ({METADATA: b"Name: lightmedseg"}, "names no licence"),
    ],
)
def test_a_wrong_wheel_is_told(tmp_path: Path, changes: dict[str, bytes | None], problem: str) -> None:
    (found,) = check_packages.check_wheel(write_wheel(tmp_path / "a.whl", changes))
    assert problem in found


def test_a_source_package_without_a_model_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    names = {file.relative_to(REPOSITORY).as_posix() for file in check_packages.wanted_files().values()}
    names |= {"README.md", "LICENSE.txt", "pyproject.toml", "setup.py"}
    card = "Resources/Models/hippocampus-t1-mr/model.json"
    with tarfile.open(path, "w:gz") as archive:
        for name in names - {card}:
            archive.addfile(tarfile.TarInfo(f"lightmedseg-0/{name}"), io.BytesIO())
    assert check_packages.check_source(path) == [f"a.tar.gz lacks {card}"]
