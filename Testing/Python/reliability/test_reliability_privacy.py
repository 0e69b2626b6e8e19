"""The short form of Testing/Reliability/privacy.py: network, identifiers, permissions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from finetuning_factory import corrected_case, tiny_model
from tally_checks import assert_passed

from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.storage.atomic_files import atomic_folder, atomic_write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="permissions are those of POSIX")


@pytest.mark.reliability
@pytest.mark.slicer
def test_no_socket_no_identifier_and_no_readable_image_data_on_any_way() -> None:
    from Reliability import privacy

    assert_passed(privacy.check(0, 1), at_least=50)


def test_a_socket_of_a_child_process_is_refused_and_written_down(tmp_path: Path) -> None:
    import subprocess
    import sys

    from Reliability import privacy

    (tmp_path / "sitecustomize.py").write_text(privacy._HOOK)
    log = tmp_path / "sockets"
    code = "import urllib.request; urllib.request.urlopen('http://192.0.2.1', timeout=1)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SOCKETS": str(log)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "the network is closed" in done.stderr
    assert "socket.getaddrinfo" in log.read_text()


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_private_files_and_folders_are_the_users_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "picture.png", private=True) as temporary:
            temporary.write_text("x")
        with atomic_folder(tmp_path / "case", private=True) as temporary:
            (temporary / "voxels").write_text("x")
        CaseStore(tmp_path / "cases").add(corrected_case(tiny_model(tmp_path / "model")))
    finally:
        os.umask(before)
    wanted = [tmp_path / "picture.png", tmp_path / "case", tmp_path / "case" / "voxels", tmp_path / "cases"]
    wanted += [*(tmp_path / "cases").glob("*/0001"), *(tmp_path / "cases").glob("*/0001/*")]
    assert len(wanted) == 7
    assert {path.name: path.stat().st_mode & 0o077 for path in wanted} == {path.name: 0 for path in wanted}
