"""The Dockerfile's steps can be run as a script, and what they name exists."""

from __future__ import annotations

import subprocess
from pathlib import Path

import check_packages
import pytest
import run_dockerfile_steps
from paths import REPOSITORY

from LightMedSegLib.cli import main


def test_the_build_gets_every_file_of_the_package_and_not_much_else() -> None:
    sent = {path.as_posix() for path in run_dockerfile_steps.context_files(REPOSITORY)}
    packaged = {path.relative_to(REPOSITORY).as_posix() for path in check_packages.wanted_files().values()}
    assert packaged <= sent
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE.txt"} <= sent
    assert sum((REPOSITORY / name).stat().st_size for name in sent) < 20e6
    assert not any(name.startswith(("Testing", "Documentation", ".git")) for name in sent)


def test_the_image_runs_the_bids_command_as_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_dockerfile_steps.steps((REPOSITORY / "Dockerfile").read_text(encoding="utf-8"))
    assert found[-1] == ("ENTRYPOINT", '["/opt/lightmedseg/bin/lightmedseg", "bids"]')
    assert ("USER", "65534:65534") in found
    assert main(["bids", "--help"]) == 0
    assert "BIDS_DIR OUTPUT_DIR {participant,group}" in " ".join(capsys.readouterr().out.split())


def small_build(tmp_path: Path, text: str, arguments: dict[str, str] | None = None) -> run_dockerfile_steps.Stage:
    context = tmp_path / "context"
    context.mkdir()
    (context / ".dockerignore").write_text("*\n!kept\n")
    for name in ("kept", "left"):
        (context / name).write_text(name)
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=context, check=True)
    return run_dockerfile_steps.Build(context, tmp_path / "root", arguments or {}).run(text)


def test_steps_are_run_in_a_scratch_folder_with_stages_of_their_own(tmp_path: Path) -> None:
    text = """
FROM python:3.12-slim AS build
ARG WORD=default
COPY . /source
RUN mkdir -p /opt/app/bin && \\
    printf '%s' "$WORD" > /opt/app/bin/program
FROM python:3.12-slim
COPY --from=build /opt/app /opt/app
ENV HOME=/tmp
USER 65534:65534
ENTRYPOINT ["/opt/app/bin/program"]
"""
    stage = small_build(tmp_path, text, {"WORD": "given"})
    assert stage.entry_point == [f"{tmp_path}/root/opt/app/bin/program"]
    assert Path(stage.entry_point[0]).read_text() == "given"
    assert stage.environment == {"HOME": "/tmp"} and stage.user == "65534:65534"
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["opt"]
    assert [path.name for path in (tmp_path / "stage-0" / "source").iterdir()] == ["kept"]


def test_a_step_that_fails_or_is_not_known_ends_the_script(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        small_build(tmp_path, "FROM python:3.12-slim\nRUN exit 3\n")
    with pytest.raises(SystemExit, match="HEALTHCHECK is no instruction"):
        run_dockerfile_steps.Build(tmp_path, tmp_path / "r", {}).run("FROM python:3\nHEALTHCHECK NONE\n")
