"""README and documentation: links lead somewhere, commands and code exist and run, generated pages are current."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from pathlib import Path

import documents
import make_data_flow
import make_model_cards
import pytest
import run_documented_commands
from paths import REPOSITORY

from LightMedSegLib.cli import _parser

BLOCKS = [block for path in documents.documents() for block in documents.blocks(path)]
PLACEHOLDER = re.compile(r"[A-Z][A-Z-]*(\.[\w.]+)?")


def place(value: object) -> str:
    return value.place if isinstance(value, documents.Block) else str(value)


@pytest.mark.parametrize("path", documents.documents(), ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_and_pictures_lead_to_files_and_headings_that_exist(path: Path) -> None:
    for target in documents.links(path):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{target} does not exist"
        assert REPOSITORY in file.parents, f"{target} leads out of the repository"
        assert not anchor or anchor in documents.anchors(file), f"{file.name} has no heading #{anchor}"


@pytest.mark.parametrize("path", documents.documents(), ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_files_and_tests_that_are_named_exist(path: Path) -> None:
    files = list((REPOSITORY / "Testing" / "Python").rglob("test_*.py"))
    names = {file.name for file in files}
    tests = "\n".join(file.read_text(encoding="utf-8") for file in files)
    for name in re.findall(r"`([^`\n]+)`", path.read_text(encoding="utf-8")):
        if re.fullmatch(r"test_\w+\.py", name):
            assert name in names, name
        elif re.fullmatch(r"test_\w+", name):
            assert f"def {name}(" in tests, name
        elif found := re.fullmatch(r"(\w+/test_\w+\.py)::(test_\w+)", name):
            file = REPOSITORY / "Testing" / "Python" / found[1]
            assert file.is_file() and f"def {found[2]}(" in file.read_text(encoding="utf-8"), name
        elif re.fullmatch(r"(LightMedSeg|LightMedSegLib|Resources|Testing|Documentation)/[\w./-]+", name):
            assert (REPOSITORY / name).exists(), name


def test_every_page_is_in_the_index_and_every_picture_on_a_page() -> None:
    folder = REPOSITORY / "Documentation"
    listed = set(documents.links(folder / "README.md"))
    assert {page.name for page in folder.glob("*.md")} - {"README.md"} == listed, (
        "bring Documentation/README.md up to date"
    )
    pages = [REPOSITORY / "README.md", *folder.glob("*.md")]
    shown = {Path(target).name for page in pages for target in documents.links(page)}
    assert {picture.name for picture in (folder / "pictures").iterdir()} <= shown


def test_pictures_of_slicers_look_say_that_they_are_rendered_outside_slicer() -> None:
    for path in documents.documents():
        # Montages of results look like no part of Slicer.
        if any(target.startswith(("pictures/", "Resources/Screenshots/")) and target.endswith(".png")
               and not target.startswith("pictures/result-") for target in documents.links(path)):  # fmt: skip
            assert re.search(r"rendered outside the 3D Slicer\s+application", path.read_text(encoding="utf-8"), re.I), (
                path
            )


@pytest.mark.parametrize("block", BLOCKS, ids=place)
def test_a_block_of_code_is_of_a_known_kind(block: documents.Block) -> None:
    assert block.marker in documents.MARKERS
    assert block.language in ("", "text", "python", "bash", "json", "toml")
    if block.language == "python":
        ast.parse(block.text)


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.language], ids=place)
def test_a_documented_command_exists_with_its_options(block: documents.Block) -> None:
    for command in block.commands():
        program, *words = shlex.split(command)
        if program == "lightmedseg":
            check_own_command(words)
        elif program == "make":
            assert set(words) <= makefile_targets(), command
        elif program == "pip" or (program, *words[:2]) == ("python", "-m", "pip"):
            check_pip(words)
        elif program == "dask":
            assert words[0] in ("scheduler", "worker") and words[-1] == "&", command
        elif program == "torchrun":
            assert (REPOSITORY / words[words.index("-m") + 1].replace(".", "/") / "__main__.py").is_file(), command
        else:
            assert program == "python" and (REPOSITORY / words[0]).is_file(), command


def check_own_command(words: list[str]) -> None:
    """The real parser takes the words."""
    arguments = _parser(words).parse_args([word.replace("...", "x") for word in words])
    assert isinstance(arguments, argparse.Namespace)
    for word in words:
        # A model that is named must be there.
        if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+(@[\d.]+)?", word) and word not in ("monai-bundle",):
            assert (REPOSITORY / "Resources" / "Models" / word.split("@")[0]).is_dir(), word


def makefile_targets() -> set[str]:
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^(\w+):", text, re.MULTILINE))


def check_pip(words: list[str]) -> None:
    """Extras are those of pyproject.toml."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    for extras in re.findall(r"^\.\[(.*)\]$", "\n".join(words), re.MULTILINE):
        for extra in extras.split(","):
            assert re.search(rf"^{extra} = \[", text, re.MULTILINE), extra


def test_a_wrong_option_in_a_document_would_be_found() -> None:
    with pytest.raises(SystemExit):
        check_own_command(["segment", "SCAN", "RESULT.nii.gz", "--modell", "x"])
    with pytest.raises(AssertionError):
        check_own_command(["models", "show", "no-such-model"])
    with pytest.raises(AssertionError):
        check_pip(["install", ".[nothing]"])


@pytest.mark.slow
@pytest.mark.parametrize("name", run_documented_commands.DOCUMENTS)
def test_what_is_documented_runs(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Without the blocks that take minutes: Testing/Tools/run_documented_commands.py --slow has those."""
    failed = run_documented_commands.main([REPOSITORY / name], slow=False)
    printed = capfd.readouterr().out
    assert not failed, printed
    assert ": runs" in printed


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    runner = run_documented_commands.Runner(tmp_path)
    block = documents.Block(REPOSITORY / "README.md", 1, "", None, "lightmedseg models show no-such-model\n")
    assert "no-such-model" in runner.run(block)
    assert "knows" in runner.run(documents.Block(REPOSITORY / "README.md", 1, "", None, "rm -rf all\n"))


def test_the_model_cards_page_is_current() -> None:
    written = make_model_cards.PAGE.read_text(encoding="utf-8")
    assert written == make_model_cards.page(make_model_cards.shipped_cards()), "run make docs"


def test_the_data_flow_picture_is_current() -> None:
    assert make_data_flow.PICTURE.read_text(encoding="utf-8") == make_data_flow.picture(), "run make docs"
