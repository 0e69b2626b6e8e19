"""Run the steps of the Dockerfile as a script in a scratch folder, then its entry point on a small BIDS dataset.

    python Testing/Tools/run_dockerfile_steps.py [--arg NAME=VALUE ...] [--dockerfile FILE]

For computers without a container engine. The absolute paths of a stage lie in the scratch folder, and a new stage
begins with an empty one, so that what it does not copy is missing. The Python is the one that runs this script, not
that of the base image. Where the system allows it, the entry point runs without network and as the Dockerfile's user.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pathspec
from documents import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from LightMedSegLib.cohorts.bids.derivative import BIDS_VERSION

SAMPLE = REPOSITORY / "Resources" / "SampleData" / "mni152-t1-left-hippocampus.nii.gz"
MODEL = "hippocampus-t1-mr"
_PLACES = ("opt", "source")
"""The top-level folders of the image that steps may name."""


@dataclass
class Stage:
    """What a stage leaves behind: variables, user and entry point."""

    environment: dict[str, str] = field(default_factory=dict)
    user: str = ""
    entry_point: list[str] = field(default_factory=list)


def steps(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their values, continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name.upper(), value.strip()) for name, _, value in (line.partition(" ") for line in joined.splitlines())]


def context_files(context: Path) -> list[Path]:
    """The files that .dockerignore leaves in the context of a build, relative to it."""
    ignored = pathspec.PathSpec.from_lines("gitignore", (context / ".dockerignore").read_text().splitlines())
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=context, capture_output=True, text=True, check=True).stdout.splitlines()
    return [Path(name) for name in names if not ignored.match_file(name) and (context / name).is_file()]


class Build:
    """Runs the steps of a Dockerfile in a folder."""

    def __init__(self, context: Path, root: Path, arguments: dict[str, str]) -> None:
        self._context, self._root, self._arguments = context, root, arguments
        self._stages: dict[str, Path] = {}
        self._name = ""
        self.stage = Stage()

    def run(self, text: str) -> Stage:
        """Run all steps and return the last stage; raises SystemExit at a step that fails or is not known."""
        for name, value in steps(text):
            print(f"{name} {value}", flush=True)
            step = getattr(self, f"_{name.lower()}", None)
            if step is None:
                raise SystemExit(f"{name} is no instruction that this script knows.")
            step(value)
        return self.stage

    def in_scratch(self, text: str) -> str:
        """The text with the image's absolute paths in the scratch folder."""
        return re.sub(rf"(?<![\w./:-])/(?=(?:{'|'.join(_PLACES)})\b)", f"{self._root}/", text)

    def _from(self, value: str) -> None:
        image, *rest = value.split()
        if not image.startswith("python:"):
            raise SystemExit(f"{image} has no Python of its own, and this script has nothing else.")
        if self._root.exists():
            self._root.rename(self._stages.setdefault(self._name, self._root.with_name(f"stage-{len(self._stages)}")))
        self._root.mkdir()
        self._name = rest[1] if rest else ""
        self.stage = Stage()

    def _arg(self, value: str) -> None:
        name, _, default = value.partition("=")
        self.stage.environment[name] = self._arguments.get(name, default)

    def _env(self, value: str) -> None:
        name, _, text = value.partition("=")
        self.stage.environment[name] = text

    def _copy(self, value: str) -> None:
        *options, source, target = value.split()
        destination = Path(self.in_scratch(target))
        if options:
            stage = self._stages[options[0].removeprefix("--from=")]
            shutil.copytree(stage / source.lstrip("/"), destination, symlinks=True)
            return
        for name in context_files(self._context / source):
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._context / source / name, destination / name)

    def _run(self, value: str) -> None:
        subprocess.run(["sh", "-euc", self.in_scratch(value)], env=self._environment(), cwd=self._root, check=True)

    def _user(self, value: str) -> None:
        self.stage.user = value

    def _entrypoint(self, value: str) -> None:
        self.stage.entry_point = [self.in_scratch(word) for word in json.loads(value)]

    def _environment(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        programs = self._root.with_name("programs")
        programs.mkdir(exist_ok=True)
        if not (programs / "python3").exists():
            (programs / "python3").symlink_to(getattr(sys, "_base_executable", sys.executable))
        return kept | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"} | self.stage.environment


def confined(user: str) -> list[str]:
    """Words before a command that run it without network and as user, as far as the system allows both."""
    number, _, group = user.partition(":")
    tried = [["unshare", "--net"], ["setpriv", f"--reuid={number}", f"--regid={group or number}", "--clear-groups"]]
    allowed = [words for words in tried if _works([*words, "true"])]
    print(f"Confined by: {', '.join(words[0] for words in allowed) or 'nothing'}.", flush=True)
    return [word for words in allowed for word in words]


def _works(words: list[str]) -> bool:
    return (
        shutil.which(words[0]) is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
    )


def make_dataset(folder: Path) -> None:
    """A BIDS dataset of the shipped sample."""
    (folder / "sub-01" / "anat").mkdir(parents=True)
    shutil.copy(SAMPLE, folder / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "Sample", "BIDSVersion": BIDS_VERSION}))


def try_entry_point(stage: Stage, scratch: Path) -> None:
    """Segment the sample by the entry point, both levels; raises SystemExit where a result is missing."""
    make_dataset(scratch / "data")
    (scratch / "out").mkdir(mode=0o777)
    (scratch / "out").chmod(0o777)
    environment = {"PATH": os.defpath, **stage.environment}
    for level, *words in (["participant", "--model", MODEL], ["group"]):
        command = [*stage.entry_point, str(scratch / "data"), str(scratch / "out"), level, *words]
        print(shlex.join(command), flush=True)
        subprocess.run([*confined(stage.user), *command], env=environment, cwd="/", check=True)
    for name in ("sub-01/anat/sub-01_desc-lightmedseg_dseg.nii.gz", "group_volumes.tsv"):
        if not (scratch / "out" / name).is_file():
            raise SystemExit(f"The entry point did not write {name}.")


def main(words: Iterable[str] | None = None) -> int:
    """Run the Dockerfile's steps and its entry point."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dockerfile", type=Path, default=REPOSITORY / "Dockerfile")
    parser.add_argument("--arg", action="append", default=[], metavar="NAME=VALUE", help="a value for an ARG")
    arguments = parser.parse_args(None if words is None else list(words))
    values = dict(one.split("=", 1) for one in arguments.arg)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        # For the Dockerfile's user.
        scratch.chmod(0o755)
        build = Build(arguments.dockerfile.parent, scratch / "root", values)
        stage = build.run(arguments.dockerfile.read_text(encoding="utf-8"))
        try_entry_point(stage, scratch)
    print("All steps run, and the entry point segments.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
