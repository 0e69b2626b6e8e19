"""The short form of Testing/Reliability/finetune_kill.py, and proof that it sees what must not be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tally_checks import assert_passed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


@pytest.mark.reliability
def test_a_killed_job_and_a_killed_starter_leave_nothing_half_done() -> None:
    from Reliability import finetune_kill

    assert_passed(finetune_kill.check(1, 1), at_least=2)


def test_leftovers_damage_and_living_processes_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from finetuning_factory import installed_with_cases
    from Reliability import finetune_kill

    monkeypatch.setattr(finetune_kill, "_LONGEST_END", 0.2)
    store, _, _ = installed_with_cases(tmp_path)
    job = tmp_path / "job"
    assert finetune_kill._problems(job, set()) == []
    assert finetune_kill._problems(job, {"gone@1.0.0"}) == ["versions are gone: ['gone@1.0.0']"]
    (store.user / ".lightmedseg-tmp-0123456789abcdef").mkdir()
    assert finetune_kill._problems(job, set()) == ["left behind: .lightmedseg-tmp-0123456789abcdef"]
    (store.user / ".lightmedseg-tmp-0123456789abcdef").rmdir()
    words = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", str(job)]
    living = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        # Until it runs, its command line may be empty.
        assert living.stdout is not None and living.stdout.readline()
        assert finetune_kill._problems(job, set()) == ["a process lives on"]
    finally:
        living.kill()
        living.communicate()
    weights = store.find("test-model").folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(Exception, match="weights"):
        finetune_kill._problems(job, set())
