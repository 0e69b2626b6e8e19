"""The module finds its library, models and samples wherever Slicer or pip have put them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import extension_build
import pytest
from panel_bench import MODULE_FILE
from paths import REPOSITORY
from patience import limit

CODE = """
import sys
from pathlib import Path
sys.path.append({testing!r})
from Runtime.bootstrap import start
session = start()
session.reset()
session.load_module({module!r})
panel = session.open_module("LightMedSeg")
import LightMedSegLib, slicer
assert Path(LightMedSegLib.__file__).resolve() == Path({library!r}).resolve() / "__init__.py", LightMedSegLib.__file__
assert any(name.startswith("hippocampus-t1-mr@") for name in panel.models.names())
assert len(slicer.modules.sampleDataSources["LightMedSeg"]) == 2
assert slicer.modules.lightmedseg.icon is not None and not slicer.modules.lightmedseg.icon.isNull()
panel.ui.tryItButton.click()
assert panel.ui.segmentButton.enabled
if {segment!r}:
    from LightMedSegLib.gui.segment.samples import fill_panel
    fill_panel(panel, "hippocampus")
    panel.ui.segmentButton.click()
    session.wait_until(lambda: not panel.run.running, 60)
    assert panel.parameters.outputSegmentation is not None, panel.ui.statusLabel.text
session.leave_module()
session.finish()
"""


def run(tmp_path: Path, module: Path, library: Path, python_path: Path | None = None, segment: bool = True) -> None:
    """Open the module in a Python of its own, and load the samples and segment the small one."""
    environment = {**os.environ, "PYTHONPATH": str(python_path or ""), "OMP_NUM_THREADS": "1"}
    code = CODE.format(testing=str(REPOSITORY / "Testing"), module=str(module), library=str(library), segment=segment)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=limit(180),
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_help_text_links_to_the_homepage_of_the_extension(slicer_runtime: Any) -> None:
    import slicer

    slicer_runtime.load_module(MODULE_FILE)
    homepage = re.search(r'EXTENSION_HOMEPAGE "(.*)"', (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert homepage is not None
    assert f'<a href="{homepage.group(1)}#readme">online documentation</a>' in slicer.modules.lightmedseg.helpText


@pytest.mark.slow
def test_installed_by_the_extension_manager(tmp_path: Path) -> None:
    folder = extension_build.install(tmp_path / "Extension with ä space")
    run(tmp_path, folder / "LightMedSeg.py", folder / "LightMedSegLib")


def test_source_folder_as_additional_module_path(tmp_path: Path) -> None:
    # All other tests of the panel segment with this library.
    run(tmp_path, MODULE_FILE, REPOSITORY / "LightMedSegLib", segment=False)


@pytest.mark.slow
def test_library_installed_by_pip(tmp_path: Path) -> None:
    """As a wheel lays it out: resources inside the library."""
    site = tmp_path / "site-packages"
    shutil.copytree(
        REPOSITORY / "LightMedSegLib", site / "LightMedSegLib", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(REPOSITORY / "Resources", site / "LightMedSegLib" / "_resources")
    shutil.copytree(MODULE_FILE.parent, tmp_path / "modules" / "LightMedSeg")
    run(tmp_path, tmp_path / "modules" / "LightMedSeg" / "LightMedSeg.py", site / "LightMedSegLib", site)
