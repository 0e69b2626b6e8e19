"""Write the file lists of LightMedSegLib/CMakeLists.txt and Resources/CMakeLists.txt from what is there.

    python Testing/Tools/list_installed_files.py

Slicer packages only files that a CMake list names; a test compares the lists with the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def library_scripts() -> list[str]:
    """Python files of the library, relative to it."""
    return _relative(REPOSITORY / "LightMedSegLib", "**/*.py")


def library_resources() -> list[str]:
    """Other files of the library."""
    return _relative(REPOSITORY / "LightMedSegLib", "**/*.json")


def installed_resources() -> list[str]:
    """Models and samples; training recipes and pictures stay in the repository."""
    folder = REPOSITORY / "Resources"
    return [*_relative(folder, "Models/**/*"), *_relative(folder, "SampleData/*")]


def with_list(text: str, variable: str, files: Iterable[str]) -> str:
    """The text of a CMakeLists.txt with set(variable ...) naming exactly files."""
    lines = "".join(f"  {file}\n" for file in files)
    return re.sub(rf"(set\({variable}\n).*?(  \)\n)", rf"\g<1>{lines}\g<2>", text, flags=re.DOTALL)


def _relative(folder: Path, pattern: str) -> list[str]:
    found = (path for path in folder.glob(pattern) if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def main() -> None:
    """Rewrite both files."""
    library, resources = REPOSITORY / "LightMedSegLib/CMakeLists.txt", REPOSITORY / "Resources/CMakeLists.txt"
    text = with_list(library.read_text(), "MODULE_PYTHON_SCRIPTS", library_scripts())
    library.write_text(with_list(text, "MODULE_PYTHON_RESOURCES", library_resources()))
    resources.write_text(with_list(resources.read_text(), "RESOURCE_FILES", installed_resources()))


if __name__ == "__main__":
    main()
