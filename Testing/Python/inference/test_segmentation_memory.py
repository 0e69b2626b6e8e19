"""A CT of ordinary size must fit into the memory of an ordinary computer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paths import SUPPORT
from patience import limit

PROBE = SUPPORT / "memory_probe.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the probe reads POSIX resource usage")
def test_a_512_512_300_ct_with_14_labels_stays_below_4_gb_can_be_cancelled_and_leaves_no_file(tmp_path: Path) -> None:
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    arguments = ["--size", "512", "512", "300", "--labels", "14", "--spacing", "3", "--cancel"]
    run = subprocess.run(
        [sys.executable, str(PROBE), *arguments],
        cwd=here,
        env={**os.environ, "TMPDIR": str(temporary), "LIGHTMEDSEG_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=limit(300),
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["peak_gb"] < 4.0
    assert report["cancel_s"] < limit(1.0)
    assert max(report["labels"]) > 8, "the random network found too little to be a fair test"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["here", "temporary"]
