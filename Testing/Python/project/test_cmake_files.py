"""What the CMake files say of the extension; test_extension_build.py looks at what they install."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cmake_lists import installed_files
from paths import REPOSITORY


def test_what_must_be_installed_is_found_and_nothing_else() -> None:
    found = installed_files()
    for name in (
        "LightMedSeg.py",
        "Resources/UI/LightMedSeg.ui",
        "LightMedSegLib/__init__.py",
        "LightMedSegLib/py.typed",
        "LightMedSegLib/cli/segment.py",
        "Resources/Models/hippocampus-t1-mr/weights.safetensors",
        "Resources/SampleData/README.md",
    ):
        assert name in found, name
    assert not [name for name in found if name.endswith((".toml", "CMakeLists.txt", ".pyc")) and "Models/" not in name]
    assert not [name for name in found if "Screenshots" in name or "Training" in name]


def test_no_other_python_file_lies_beside_the_module() -> None:
    """Slicer would take it for a module."""
    assert [path.name for path in (REPOSITORY / "LightMedSeg").glob("*.py")] == ["LightMedSeg.py"]


def fields() -> dict[str, str]:
    text = (REPOSITORY / "CMakeLists.txt").read_text()
    return {name: value.strip('"') for name, value in re.findall(r'set\((EXTENSION_\w+) (".*?"|\S+)\)', text)}


def test_the_extension_describes_itself_as_the_index_asks() -> None:
    found = fields()
    text = (REPOSITORY / "CMakeLists.txt").read_text()
    assert "project(LightMedSeg)" in text and "## NEXT_MODULE" in text
    for name in (
        "HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS", "RECOMMENDS",
        "KEYWORDS", "STATUS", "ENABLED", "BUILD_SUBDIRECTORY", "LICENSE_FILE", "README_FILE",
    ):  # fmt: skip
        assert found[f"EXTENSION_{name}"]
    assert found["EXTENSION_DEPENDS"] == "PyTorch"
    home = found["EXTENSION_HOMEPAGE"]
    assert home.startswith("https://github.com/") and home.split("/")[-1].startswith("Slicer")
    raw = home.replace("github.com", "raw.githubusercontent.com")
    urls = [found["EXTENSION_ICONURL"], *found["EXTENSION_SCREENSHOTURLS"].split()]
    assert all(url.startswith(f"{raw}/main/") and url.endswith(".png") for url in urls)
    assert (REPOSITORY / found["EXTENSION_ICONURL"].removeprefix(f"{raw}/main/")).is_file()
    assert (REPOSITORY / "LICENSE.txt").is_file() and (REPOSITORY / "README.md").is_file()
    assert "Apache-2.0" in found["EXTENSION_DESCRIPTION"]


def test_every_folder_that_is_added_has_its_own_list() -> None:
    for cmake_file in REPOSITORY.glob("**/CMakeLists.txt"):
        if ".venv" in cmake_file.parts or "build" in cmake_file.parts:
            continue
        for folder in re.findall(r"add_subdirectory\((\w+)\)", cmake_file.read_text()):
            assert (cmake_file.parent / folder / "CMakeLists.txt").is_file()
        for script in re.findall(r"SCRIPT (\w+\.py)", cmake_file.read_text()):
            assert (cmake_file.parent / script).is_file()


@pytest.mark.parametrize("path", ["LightMedSeg.png", "LightMedSeg/Resources/Icons/LightMedSeg.png"])
def test_the_icon_is_the_one_that_its_script_draws(path: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    import make_icon
    import numpy as np

    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(REPOSITORY / path)))
    assert pixels.shape == (128, 128, 4)
    # Other processors may round the last bit differently.
    assert np.abs(pixels.astype(int) - make_icon.draw_icon()).max() <= 1


def test_the_icon_is_legible_at_16_pixels() -> None:
    """The segment, the body's contour and the background remain far apart."""
    import make_icon

    small = make_icon.draw_icon(16).astype(int)
    segment, contour, background = small[8, 8], small[8, 3], small[2, 2]
    for first, second in ((segment, contour), (segment, background), (contour, background)):
        assert abs(first[:3] - second[:3]).sum() > 200
    assert Path(REPOSITORY / "LightMedSeg.png").stat().st_size < 20_000
