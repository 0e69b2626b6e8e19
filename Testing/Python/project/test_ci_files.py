"""The public workflow does what .ci/run does, on every platform of 3D Slicer."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml
from paths import REPOSITORY

WORKFLOW = REPOSITORY / ".github" / "workflows" / "ci.yml"
STEPS = (
    "ruff check .",
    "ruff format --check .",
    "mypy",
    "python -m pytest -n 2 --dist loadfile --no-loadscope-reorder",
    "lightmedseg models verify",
    "python Testing/Tools/check_packages.py dist",
)


def job() -> dict[str, Any]:
    return dict(yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["check"])


def commands() -> str:
    return "\n".join(step.get("run", "") for step in job()["steps"])


def test_the_workflow_runs_on_three_systems_and_two_pythons() -> None:
    matrix = job()["strategy"]["matrix"]
    assert [name.split("-")[0] for name in matrix["os"]] == ["ubuntu", "windows", "macos"]
    # Not numbers: YAML would read 3.10 as 3.1.
    assert matrix["python"] == ["3.10", "3.12"]


def test_the_workflow_has_every_step_of_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for name in ("PYTEST", "PROCESSES"):
        value = re.search(rf"^{name} \??= (.*)$", makefile, re.MULTILINE)
        assert value is not None
        makefile = makefile.replace(f"$({name})", value[1])
    makefile = re.sub(r"\$\(BIN(:[^)]*)?\)/", "", makefile)
    lines = [line.strip() for line in commands().splitlines()]
    for step in STEPS:
        assert step in makefile, f"{step} is no step of the Makefile any more"
        assert step in lines, f"the workflow lacks {step}"
    targets = re.search(r"^make (.*) PYTHON=", (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets is not None and targets[1].split() == ["test-all", "package", "demo"]
    (every_test,) = re.findall(r"^test-all:.* lint\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert every_test.splitlines()[0] == f"\t{STEPS[3]}", "nothing is left out"


def test_both_run_the_same_demo() -> None:
    workflow = shlex.split(commands().replace("\\\n", " "))
    assert "sample:head" in workflow
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert "colin27-t1-head.nii.gz" in makefile
    for words in ("--model", "--montage", "--json"):
        assert words in workflow and words in makefile


def test_both_install_the_same_packages_for_drawing() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    wanted = re.search(r'GRAPHICS="(.*)"', script)
    assert wanted is not None
    assert set(wanted[1].split()) <= set(commands().replace("\\\n", " ").split())


def test_the_script_may_be_started() -> None:
    assert (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").startswith("#!/usr/bin/env bash")
