"""Checks the entry for Slicer's Extensions Index and this repository by the rules that the Index applies to a request.

    python Testing/Tools/check_extension_entry.py

The rules are those of check_description_files.py and check_repository_structure.py in the repository
Slicer/ExtensionsIndex, of the schema of catalogue entries 1.0.2 in Slicer/Slicer, and of the Index's limit on the size
of a clone. Nothing is downloaded: addresses of pictures must lead to pictures in this repository, which is what will be
found at them once it is public. The topic of the repository on GitHub cannot be checked from here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "Documentation" / "LightMedSeg.json"

SCHEMA_URL = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "category", "scm_url"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": SCHEMA_URL},
        "category": {"type": "string"},
        "scm_url": {"type": "string"},
        "scm_revision": {"type": "string"},
        "scm_type": {"enum": ["git", "local"]},
        "build_dependencies": {"type": "array", "items": {"type": "string"}},
        "dicom_support_rule": {"type": "string"},
        "build_subdirectory": {"type": "string"},
        "enabled": {"type": "boolean"},
        "tier": {"type": "integer", "minimum": 1, "maximum": 5},
    },
}
CATEGORIES = ("Active Learning", "Neuroimaging", "Radiotherapy", "Segmentation")
"""Those of the Index's list that this extension could be in."""
INDEXED = ("PyTorch",)
"""Extensions of the Index that this one may depend on."""
TIERS = (1, 3, 5)
"""The levels that the Index's template of a request describes."""
LICENSE_FILES = ("LICENSE", "LICENCE", "License.txt", "license.txt", "LICENSE.txt", "COPYING", "COPYING.txt")
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")
"""How PNG, JPEG and GIF files begin."""
LARGEST_CLONE = 100_000_000


def entry_problems(path: Path) -> list[str]:
    """Return what is wrong with the file of an entry, one line each."""
    raw = path.read_bytes()
    problems = [] if b"\r" not in raw else ["The file has line ends other than LF."]
    if b"\t" in raw or not raw.endswith(b"}\n"):
        problems.append("The file has tabs, or does not end with one line end.")
    try:
        entry = json.loads(raw)
    except ValueError as error:
        return [*problems, f"The file is no JSON: {error}."]
    found = jsonschema.Draft7Validator(SCHEMA).iter_errors(entry)
    problems += [f"Not as the schema asks: {error.message}" for error in found]
    if path.stem.lower().startswith("slicer"):
        problems.append("The name of the extension begins with Slicer.")
    if entry.get("category") not in CATEGORIES:
        problems.append(f"The category {entry.get('category')} is unknown.")
    if entry.get("tier", 1) not in TIERS:
        problems.append(f"Tier {entry.get('tier')} is not described.")
    missing = [name for name in entry.get("build_dependencies", []) if name not in INDEXED]
    if missing:
        problems.append(f"Not in the Index: {', '.join(missing)}.")
    return problems + _address_problems(str(entry.get("scm_url", "")))


def _address_problems(address: str) -> list[str]:
    parts = urlsplit(address)
    problems = []
    if "://" not in address or parts.scheme not in ("git", "https"):
        problems.append("scm_url is no address with git:// or https://.")
    if "slicer" not in Path(parts.path).stem.lower():
        problems.append("The repository's name does not contain Slicer.")
    return problems


def repository_problems(folder: Path, name: str) -> list[str]:
    """Return what is wrong with the repository in folder of the extension with this name, one line each."""
    problems = []
    if not any((folder / file).is_file() for file in LICENSE_FILES):
        problems.append("There is no licence file in the root.")
    path = folder / "CMakeLists.txt"
    if not path.is_file():
        return [*problems, "There is no CMakeLists.txt in the root."]
    text = path.read_text(encoding="utf-8")
    project = re.search(r"project\s*\(\s*([^\s)]+)", text, re.IGNORECASE)
    if project is None or project[1].strip("\"'") != name:
        problems.append(f"The first project() in CMakeLists.txt is not {name}.")
    for field in ("ICONURL", "SCREENSHOTURLS"):
        # As the Index reads them: in quotes, the command on one line.
        found = re.search(rf'set\s*\(EXTENSION_{field}\s*"([^"]+)"\)', text, re.IGNORECASE)
        addresses = found[1].split() if found else []
        if not addresses:
            problems.append(f"EXTENSION_{field} is not set.")
        problems += [f"{address} is no picture." for address in addresses if not _is_picture(folder, address)]
    return problems


def _is_picture(folder: Path, address: str) -> bool:
    """Return whether a raw address of the main branch leads to a picture in folder."""
    found = re.fullmatch(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/main/(\S+)", address)
    path = folder / found[1] if found else None
    return path is not None and path.is_file() and path.read_bytes().startswith(PICTURES)


def agreement_problems(path: Path, folder: Path) -> list[str]:
    """Return where entry and CMakeLists.txt contradict each other; the request's template asks for agreement."""
    entry = json.loads(path.read_text(encoding="utf-8"))
    fields = cmake_fields(folder)
    depends = [] if fields.get("DEPENDS", "NA") == "NA" else fields["DEPENDS"].split()
    pairs = (
        ("scm_url", entry.get("scm_url"), "HOMEPAGE", fields.get("HOMEPAGE")),
        ("category", entry.get("category"), "CATEGORY", fields.get("CATEGORY")),
        ("build_dependencies", entry.get("build_dependencies", []), "DEPENDS", depends),
        ("build_subdirectory", entry.get("build_subdirectory", "."), "BUILD_SUBDIRECTORY",
         fields.get("BUILD_SUBDIRECTORY", ".")),
    )  # fmt: skip
    return [
        f"{key} is {value}, but EXTENSION_{field} is {other}." for key, value, field, other in pairs if value != other
    ]


def cmake_fields(folder: Path) -> dict[str, str]:
    """Return the EXTENSION_ fields of the root CMakeLists.txt."""
    text = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    return dict(re.findall(r'set\(EXTENSION_(\w+) "([^"\n]+)"\)', text))


def clone_size(folder: Path) -> int:
    """Return the bytes of the whole history, as a clone receives it.

    Raises:
        OSError: git is not installed.
        subprocess.CalledProcessError: folder is no repository.
    """
    command = ["git", "pack-objects", "--revs", "--stdout", "--delta-base-offset", "-q"]
    return len(subprocess.run(command, cwd=folder, input=b"HEAD\n", capture_output=True, check=True).stdout)


def main() -> int:
    """Print what is wrong, and the size of a clone."""
    problems = entry_problems(ENTRY) + repository_problems(ROOT, ENTRY.stem) + agreement_problems(ENTRY, ROOT)
    size = clone_size(ROOT)
    if size > LARGEST_CLONE:
        problems.append(f"A clone has {size / 1e6:.0f} MB, more than {LARGEST_CLONE / 1e6:.0f}.")
    print("\n".join(problems) or f"The entry follows the rules of the Index; a clone has {size / 1e6:.1f} MB.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
