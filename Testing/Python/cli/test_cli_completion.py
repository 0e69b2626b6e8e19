"""``lightmedseg completion``: the scripts know every command and option, and bash uses its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from patience import limit

from LightMedSegLib.cli import main

_TRY = """
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lightmedseg; echo "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_and_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out + _TRY)

    def completed(*words: str) -> list[str]:
        command = ["bash", "--norc", str(tmp_path / "script"), "lightmedseg", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit(20), check=True)
        assert done.stderr == ""
        return done.stdout.split()

    assert completed("se") == ["segment"]
    assert {"segment", "bids", "models", "completion"} <= set(completed(""))
    assert completed("segment", "--jo") == ["--jobs"]
    assert completed("segment", "--suffix", ".seg") == [".seg.nrrd"]
    assert completed("models", "sh") == ["show"]
    assert completed("models", "show", "--j") == ["--json"]
    assert completed("segment", "models", "--js") == ["--json"]
    assert completed("segment", "") == completed("segment", "--model", "") == []


def test_the_other_shells_get_their_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    assert "bashcompinit" in capsys.readouterr().out
    assert main(["completion", "fish"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("complete -c lightmedseg -n '") for line in lines)
    (suffix,) = [line for line in lines if "-l suffix" in line]
    assert "__fish_seen_subcommand_from segment" in suffix and "-a '.seg.nrrd .nrrd" in suffix
    assert any("-s i -l input" in line for line in lines)
    assert main(["completion", "tcsh"]) == 2
