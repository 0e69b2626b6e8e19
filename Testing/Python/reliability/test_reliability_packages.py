"""The short form of Testing/Reliability/model_packages.py, and proof that its watch sees what must not happen."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from tally_checks import assert_passed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.mark.reliability
def test_spoiled_packages_are_refused_or_work() -> None:
    from Reliability import model_packages

    assert_passed(model_packages.check(10, 1), at_least=10)


def test_the_watch_sees_writing_elsewhere_unpickling_and_programs(tmp_path: Path) -> None:
    from Reliability.package_trial import Watch

    watch = Watch()
    with watch.inside(tmp_path / "store") as seen:
        (tmp_path / "beside").write_text("x")
        pickle.loads(pickle.dumps(Path("x")))
        subprocess.run(["true"], check=True)
    words = " ".join(seen)
    assert str(tmp_path / "beside") in words
    assert "pickle.find_class" in words
    assert "subprocess.Popen" in words
