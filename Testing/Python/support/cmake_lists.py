"""What the CMake lists install, and where, as far as the tests need to know."""

from __future__ import annotations

import re
from pathlib import Path

from paths import REPOSITORY


def listed(cmake_file: Path, variable: str) -> list[str]:
    """The files that set(variable ...) names."""
    text = re.sub(r"#.*", "", cmake_file.read_text())
    found = re.search(rf"set\({variable}\s(.*?)\)", text.replace("${MODULE_NAME}", cmake_file.parent.name), re.DOTALL)
    assert found, f"{cmake_file} sets no {variable}"
    return found[1].split()


def installed_files() -> dict[str, Path]:
    """Path below lib/Slicer-5.x/qt-scripted-modules, and the file in the repository that goes there."""
    module, library, resources = (REPOSITORY / name for name in ("LightMedSeg", "LightMedSegLib", "Resources"))
    variables = ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES")
    result = {name: module / name for item in variables for name in listed(module / "CMakeLists.txt", item)}
    for item in variables:
        for name in listed(library / "CMakeLists.txt", item):
            result[f"LightMedSegLib/{name}"] = library / name
    for name in listed(resources / "CMakeLists.txt", "RESOURCE_FILES"):
        result[f"Resources/{name}"] = resources / name
    return result
