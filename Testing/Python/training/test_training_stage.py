"""A stage of training goes on from what the stage before kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import run_training_stage
from training_factory import configuration, prepared_cases

from LightMedSegLib.learning.prepared_case import write_prepared
from LightMedSegLib.training.configuration.writer import configuration_as_toml
from LightMedSegLib.training.split import Split, write_split


def stage(folder: Path, machine: str, state: str, limit: float, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a stage on a machine with its own temporary folder; what was printed is read by the caller."""
    (folder / machine).mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder / machine))
    out = folder / f"{machine}-out"
    words = [str(folder / "run.toml"), "--prepared", str(folder / "prepared"), "--state", str(folder / state)]
    words += ["--out", str(out), "--limit", str(limit), "--device", "cpu"]
    assert run_training_stage.main(words) == 0
    return out.name


def test_a_stage_on_another_machine_goes_on_from_the_kept_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = configuration(optimizer={"steps": 3})
    cases = prepared_cases(4)
    write_prepared(tmp_path / "prepared", cases, settings)
    names = [case.name for case in cases]
    write_split(tmp_path / "prepared" / run_training_stage.SPLIT_FILE, Split(tuple(names[:3]), (names[3],), ()))
    (tmp_path / "run.toml").write_text(configuration_as_toml(settings), encoding="utf-8")
    first = stage(tmp_path, "first", "nothing", run_training_stage.RESERVED_SECONDS, monkeypatch)
    assert "stopped" in capsys.readouterr().out
    assert not list((tmp_path / first).glob(".*")), "no part is half written"
    second = stage(tmp_path, "second", first, 1000.0, monkeypatch)
    printed = capsys.readouterr().out
    assert "finished at step 3" in printed
    run_training_stage.unpack(tmp_path / second, run_training_stage.MODEL, tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "model" / "model.json").is_file()
    run_training_stage.unpack(tmp_path / first, run_training_stage.STATE, tmp_path / "state")
    assert '"step":1' in (tmp_path / "state" / "checkpoint.json").read_text().replace(" ", "")


def test_what_is_too_large_is_said_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_training_stage, "PART_BYTES", 10)
    (tmp_path / "file").write_bytes(b"0" * 100)
    run_training_stage.pack(tmp_path, run_training_stage.MODEL, [tmp_path / "file"], tmp_path)
    assert "is not kept" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
