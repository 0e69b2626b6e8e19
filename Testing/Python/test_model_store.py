"""The catalogue of models: immutable versions, crashes, strangers, and several processes at once."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_factory import make_model

from LightMedSegLib import model_folders, safe_files
from LightMedSegLib.errors import LightMedSegError, ModelPackageError, ModelStoreError, OutputError
from LightMedSegLib.model_package import Model, load_model
from LightMedSegLib.model_store import ModelStore, resolve_model
from LightMedSegLib.safe_files import STALE_AFTER_SECONDS, is_temporary, temporary_name

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def package(folder: Path, name: str = "liver-ct", version: str = "1.0.0", value: float = 0.0, **changes: Any) -> Model:
    """A package in a new folder below folder; value makes its weights differ."""
    tensors = {"w": np.full(50, value, np.float32)}
    target = folder / f"{name}-{version}-{value}-{len(list(folder.iterdir())) if folder.exists() else 0}"
    return make_model(target, "stub", tensors=tensors, name=name, version=version, **changes)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with brain-mr 1.0.0 shipped and nothing of the user's."""
    shipped = tmp_path / "shipped"
    package(tmp_path / "made", "brain-mr").folder.rename(_made(shipped) / "brain-mr")
    return ModelStore(shipped, tmp_path / "user" / "models")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return _made(tmp_path / "made")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def identifiers(store: ModelStore) -> list[str]:
    return [entry.identifier for entry in store.list()]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- listing and finding


def test_shipped_models_come_first_then_names_and_versions_in_order(store: ModelStore, made: Path) -> None:
    for version in ("1.10.0", "1.9.0", "1.9.0-rc.1"):
        store.add(package(made, "liver-ct", version).folder)
    store.add(package(made, "aorta-ct").folder)
    assert identifiers(store) == [
        *("brain-mr@1.0.0", "aorta-ct@1.0.0"),
        *("liver-ct@1.9.0-rc.1", "liver-ct@1.9.0", "liver-ct@1.10.0"),
    ]
    assert [entry.shipped for entry in store.list()] == [True, False, False, False, False]


def test_without_a_version_the_newest_release_is_found(store: ModelStore, made: Path) -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1"):
        store.add(package(made, "liver-ct", version).folder)
    assert store.find("liver-ct").card.version == "1.10.0"
    assert store.find("liver-ct@1.9.0").card.version == "1.9.0"
    assert store.find("liver-ct@2.0.0-rc.1").card.version == "2.0.0-rc.1"


def test_a_candidate_is_found_by_name_where_there_is_no_release(store: ModelStore, made: Path) -> None:
    store.add(package(made, "liver-ct", "0.1.0-rc.9").folder)
    store.add(package(made, "liver-ct", "0.1.0-rc.10").folder)
    assert store.find("liver-ct").card.version == "0.1.0-rc.10"


def test_a_users_newer_version_of_a_shipped_model_is_found_and_the_shipped_one_stays(
    store: ModelStore, made: Path
) -> None:
    store.add(package(made, "brain-mr", "1.1.0", 1.0).folder)
    assert store.find("brain-mr").card.version == "1.1.0"
    assert store.find("brain-mr@1.0.0").card.version == "1.0.0"


@pytest.mark.parametrize("identifier", ["heart", "brain-mr@9.0.0", "", "brain-mr@", "../shipped/brain-mr", "BRAIN-MR"])
def test_an_unknown_name_is_refused_with_what_there_is(store: ModelStore, identifier: str) -> None:
    with pytest.raises(ModelPackageError) as caught:
        store.find(identifier)
    assert str(caught.value) == f"There is no model {identifier!r}; available: brain-mr@1.0.0."


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "none", tmp_path / "nothing")
    assert store.list() == []
    with pytest.raises(ModelPackageError, match="available: none"):
        store.find("brain-mr")


def test_a_broken_model_is_listed_with_its_problem_and_hides_no_other(store: ModelStore, made: Path) -> None:
    for name in ("aorta-ct", "liver-ct", "spleen-ct"):
        store.add(package(made, name).folder)
    (store.user / "aorta-ct@1.0.0" / "model.json").write_text("{")
    (store.user / "liver-ct@1.0.0" / "weights.safetensors").write_bytes(b"short")
    (store.user / "not-a-model").mkdir()
    (store.user / "stray-file.txt").touch()
    problems = {entry.identifier: entry.problem or "" for entry in store.list()}
    assert "not valid JSON" in problems.pop("aorta-ct@1.0.0")
    assert "truncated" in problems.pop("liver-ct@1.0.0")
    assert "model.json" in problems.pop("not-a-model")
    assert problems == {"brain-mr@1.0.0": "", "spleen-ct@1.0.0": ""}
    with pytest.raises(ModelPackageError, match="truncated"):
        store.find("liver-ct@1.0.0")
    with pytest.raises(ModelPackageError, match="not valid JSON"):
        store.find("aorta-ct")


def test_an_older_sound_version_serves_where_the_newest_is_broken(store: ModelStore, made: Path) -> None:
    store.add(package(made, "liver-ct", "1.0.0").folder)
    store.add(package(made, "liver-ct", "1.1.0").folder)
    (store.user / "liver-ct@1.1.0" / "model.json").unlink()
    assert store.find("liver-ct").card.version == "1.0.0"


def test_a_model_copied_there_by_hand_under_another_name_is_a_problem(store: ModelStore, made: Path) -> None:
    shutil.copytree(package(made, "brain-mr", "9.9.9").folder, store.user / "liver-ct@1.0.0")
    problem = store.list()[-1].problem
    assert problem is not None
    assert "import it instead" in problem
    assert store.find("brain-mr").card.version == "1.0.0"


def test_verify_finds_the_bit_that_a_list_does_not_see(store: ModelStore, made: Path) -> None:
    store.add(package(made, "liver-ct").folder)
    path = store.user / "liver-ct@1.0.0" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [entry.problem for entry in store.list()] == [None, None]
    shipped, damaged = store.verify()
    assert shipped.problem is None
    assert damaged.problem is not None
    assert "changed or damaged" in damaged.problem


# --- adding and removing


def test_an_added_model_is_a_copy_of_the_packages_files_only(store: ModelStore, made: Path) -> None:
    source = package(made)
    (source.folder / "README.md").write_text("read me")
    (source.folder / "patient.nii").write_text("private")
    model = store.add(source.folder)
    shutil.rmtree(source.folder)
    assert model.folder == store.user / "liver-ct@1.0.0"
    assert {path.name for path in model.folder.iterdir()} == {"model.json", "weights.safetensors", "README.md"}
    np.testing.assert_array_equal(store.find("liver-ct").weights()["w"], np.zeros(50))


def test_a_model_moves_from_one_store_to_another_as_a_zip(store: ModelStore, made: Path, tmp_path: Path) -> None:
    store.export("brain-mr", tmp_path / "model.zip")
    other = ModelStore(tmp_path / "none", tmp_path / "other")
    assert other.add(tmp_path / "model.zip").card == store.find("brain-mr").card
    with pytest.raises(OutputError, match="does not exist"):
        store.export("brain-mr", tmp_path / "gone" / "model.zip")


def test_adding_the_same_package_again_changes_nothing(store: ModelStore, made: Path, tmp_path: Path) -> None:
    store.add(package(made).folder)
    before = snapshot(store.user)
    store.add(package(made).folder)
    store.add(store.export("liver-ct", tmp_path / "model.zip"))
    assert snapshot(store.user) == before


@pytest.mark.parametrize("changes", [{"value": 1.0}, {"title": "Another title"}, {"metrics": {"test": {"dice": 1.0}}}])
def test_a_version_never_changes(store: ModelStore, made: Path, changes: dict[str, Any]) -> None:
    store.add(package(made).folder)
    before = snapshot(store.user)
    with pytest.raises(ModelStoreError, match=r"liver-ct@1\.0\.0 is there already with other content"):
        store.add(package(made, **changes).folder)
    assert snapshot(store.user) == before


def test_a_stranger_cannot_replace_a_shipped_model(store: ModelStore, made: Path) -> None:
    assert store.shipped is not None
    before = snapshot(store.shipped)
    with pytest.raises(ModelStoreError, match=r"brain-mr@1\.0\.0 is there already with other content"):
        store.add(package(made, "brain-mr", "1.0.0", 6.66).folder)
    assert snapshot(store.shipped) == before
    assert identifiers(store) == ["brain-mr@1.0.0"]


def test_adding_a_shipped_model_gives_the_shipped_one(store: ModelStore, made: Path) -> None:
    assert store.shipped is not None
    assert store.add(package(made, "brain-mr").folder).folder == store.shipped / "brain-mr"
    assert not store.user.exists()


def test_a_damaged_version_must_be_removed_before_it_is_added_again(store: ModelStore, made: Path) -> None:
    source = package(made)
    store.add(source.folder)
    (store.user / "liver-ct@1.0.0" / "weights.safetensors").unlink()
    with pytest.raises(ModelStoreError, match="remove it first"):
        store.add(source.folder)
    store.remove("liver-ct@1.0.0")
    store.add(source.folder)
    assert store.find("liver-ct").weights().keys() == {"w"}


def test_only_sound_packages_are_added(store: ModelStore, made: Path) -> None:
    source = package(made)
    (source.folder / "weights.safetensors").write_bytes(b"x" * source.card.weights.bytes)
    with pytest.raises(ModelPackageError, match="changed or damaged"):
        store.add(source.folder)
    assert not store.user.exists()


def test_a_model_of_the_user_is_removed_and_nothing_else(store: ModelStore, made: Path) -> None:
    store.add(package(made, "liver-ct", "1.0.0").folder)
    store.add(package(made, "liver-ct", "1.1.0").folder)
    store.remove("liver-ct@1.0.0")
    assert identifiers(store) == ["brain-mr@1.0.0", "liver-ct@1.1.0"]
    assert [path.name for path in store.user.iterdir()] == ["liver-ct@1.1.0"]


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("brain-mr@1.0.0", "it came with the program"),
        ("liver-ct", "no such name and version"),
        ("../user", "no such name and version"),
        (".", "no such name and version"),
        ("", "no such name and version"),
    ],
)
def test_nothing_else_can_be_removed(store: ModelStore, made: Path, identifier: str, reason: str) -> None:
    store.add(package(made).folder)
    with pytest.raises(ModelStoreError, match=reason):
        store.remove(identifier)
    assert identifiers(store) == ["brain-mr@1.0.0", "liver-ct@1.0.0"]


@pytest.mark.parametrize(("holder", "call"), [(os, "fsync"), (Path, "rename"), (Path, "mkdir")])
def test_a_full_disk_is_explained_and_leaves_the_store_as_it_was(
    store: ModelStore, made: Path, monkeypatch: pytest.MonkeyPatch, holder: object, call: str
) -> None:
    source = package(made)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(holder, call, full)
    with pytest.raises(ModelStoreError, match="the disk is full") as caught:
        store.add(source.folder)
    monkeypatch.undo()
    assert "\n" not in str(caught.value)
    assert not snapshot(store.user)
    assert not [path for path in store.user.glob("*") if not is_temporary(path)]
    store.add(source.folder)


# --- crashes and several processes


def _exit_code(child: Callable[[], None]) -> int:
    """Run child in a forked process; 3 if it raises one of our errors, 4 for any other."""
    pid = os.fork()
    if pid == 0:
        code = 4
        try:
            child()
            code = 0
        except LightMedSegError:
            code = 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _crash_at(step: int, folder: Path) -> None:
    """Let this process die at its step-th change below folder, without any clean-up."""
    changes = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.copyfile", "shutil.rmtree"}
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in changes and any(str(folder) in str(argument) for argument in arguments):
            seen += 1
            if seen == step:
                os._exit(9)

    sys.addaudithook(hook)


def _crash_everywhere(folder: Path, action: Callable[[], Any], check: Callable[[bool], None]) -> int:
    """Run action again and again, dying one step later each time, until it gets through; returns the steps."""
    step = 0
    code = 9
    while code == 9:
        step += 1

        def child(step: int = step) -> None:
            _crash_at(step, folder)
            action()

        code = _exit_code(child)
        assert code in (0, 9)
        check(code == 0)
    return step


@needs_fork
def test_a_crash_at_any_point_of_adding_leaves_a_valid_store(store: ModelStore, made: Path) -> None:
    source = package(made).folder
    store.user.mkdir(parents=True)
    outcomes = set()

    def check(finished: bool) -> None:
        entries = store.verify()
        assert [entry.problem for entry in entries] == [None] * len(entries)
        present = "liver-ct@1.0.0" in identifiers(store)
        assert present or not finished
        outcomes.add(present)
        store.add(source)
        assert store.find("liver-ct").weights().keys() == {"w"}
        if not finished:
            store.remove("liver-ct@1.0.0")

    steps = _crash_everywhere(store.user, lambda: store.add(source), check)
    assert steps > 10, "the crashes should reach between the files"
    assert outcomes == {True, False}
    assert any(map(is_temporary, store.user.iterdir())), "crashes leave something to clean up"

    for leftover in filter(is_temporary, store.user.iterdir()):
        for path in (*leftover.iterdir(), leftover):
            os.utime(path, (1e9, 1e9))
    store.add(package(made, "spleen-ct").folder)
    assert sorted(path.name for path in store.user.iterdir()) == ["liver-ct@1.0.0", "spleen-ct@1.0.0"]


@needs_fork
def test_a_crash_at_any_point_of_removing_leaves_a_valid_store(store: ModelStore, made: Path) -> None:
    source = package(made).folder
    store.add(source)

    def check(finished: bool) -> None:
        entries = store.verify()
        assert [entry.problem for entry in entries] == [None] * len(entries)
        if finished:
            assert identifiers(store) == ["brain-mr@1.0.0"]
        else:
            store.add(source)

    assert _crash_everywhere(store.user, lambda: store.remove("liver-ct@1.0.0"), check) > 3


@needs_fork
def test_processes_that_add_the_same_version_at_once_do_not_disturb_each_other(store: ModelStore, made: Path) -> None:
    source = package(made).folder
    codes = _all_at_once([lambda: store.add(source)] * 6)
    assert codes == [0] * 6
    assert [entry.problem for entry in store.verify()] == [None, None]
    assert [path.name for path in store.user.iterdir()] == ["liver-ct@1.0.0"]


@needs_fork
def test_of_processes_that_add_different_bytes_as_one_version_exactly_one_wins(store: ModelStore, made: Path) -> None:
    sources = [package(made, value=float(value)).folder for value in range(6)]
    codes = _all_at_once([lambda source=source: store.add(source) for source in sources])  # type: ignore[misc]
    assert sorted(codes) == [0, 3, 3, 3, 3, 3]
    winner = load_model(sources[codes.index(0)])
    assert store.find("liver-ct").card == winner.card
    assert [entry.problem for entry in store.verify()] == [None, None]


def _all_at_once(children: list[Callable[[], Any]]) -> list[int]:
    """Start one process each, hold them at a gate, open it, and return their exit codes."""
    gate_reader, gate_writer = os.pipe()
    pids = []
    for child in children:
        pid = os.fork()
        if pid == 0:
            code = 4
            try:
                os.close(gate_writer)
                os.read(gate_reader, 1)
                child()
                code = 0
            except LightMedSegError:
                code = 3
            finally:
                os._exit(code)
        pids.append(pid)
    os.close(gate_writer)
    os.close(gate_reader)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def test_a_version_that_another_process_added_during_the_copy_is_compared(
    store: ModelStore, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, same, other = package(made, value=1.0), package(made, value=1.0), package(made, value=2.0)
    real_sync = safe_files.sync

    def race(winner: Model) -> Model:
        def sync(path: Path) -> None:
            if not (store.user / "liver-ct@1.0.0").exists():
                shutil.copytree(winner.folder, store.user / "liver-ct@1.0.0")
            real_sync(path)

        with monkeypatch.context() as patch:
            patch.setattr(safe_files, "sync", sync)
            return store.add(mine.folder)

    assert race(same).card == mine.card
    store.remove("liver-ct@1.0.0")
    with pytest.raises(ModelStoreError, match="other content"):
        race(other)
    assert store.find("liver-ct").card == other.card
    assert not list(filter(is_temporary, store.user.iterdir()))


def test_unfinished_work_of_others_is_neither_listed_nor_removed_while_fresh(store: ModelStore, made: Path) -> None:
    fresh, stale = store.user / temporary_name(), store.user / temporary_name()
    for folder in (fresh, stale):
        shutil.copytree(package(made).folder, folder)
    for path in (*stale.iterdir(), stale):
        then = path.stat().st_mtime - STALE_AFTER_SECONDS - 60
        os.utime(path, (then, then))
    assert identifiers(store) == ["brain-mr@1.0.0"]
    store.add(package(made).folder)
    assert set(store.user.iterdir()) == {fresh, store.user / "liver-ct@1.0.0"}


# --- names, paths and folders


def test_a_model_is_resolved_from_itself_its_folder_its_zip_and_its_name(
    store: ModelStore, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = store.add(package(made).folder)
    zip_path = store.export("liver-ct", tmp_path / "liver.zip")
    monkeypatch.chdir(store.user)
    for given in (model, model.folder, str(model.folder), zip_path, str(zip_path), "liver-ct", "liver-ct@1.0.0"):
        assert resolve_model(given, store).card == model.card
    assert resolve_model(model, store) is model


def test_the_name_of_an_installed_model_goes_before_a_folder_of_that_name(
    store: ModelStore, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(_made(tmp_path / "work"))
    package(made, "brain-mr", "6.6.6").folder.rename(tmp_path / "work" / "brain-mr")
    package(made, "liver-ct", "5.0.0").folder.rename(tmp_path / "work" / "liver-ct")
    assert resolve_model("brain-mr", store).card.version == "1.0.0"
    assert resolve_model("./brain-mr", store).card.version == "6.6.6"
    assert resolve_model("liver-ct", store).card.version == "5.0.0"


def test_an_unknown_name_and_a_missing_path_are_refused(store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(ModelPackageError, match="There is no model 'heart'"):
        resolve_model("heart", store)
    for path in (tmp_path / "gone", str(tmp_path / "gone"), "gone.zip"):
        with pytest.raises(ModelPackageError, match="There is no model package at"):
            resolve_model(path, store)


def test_the_users_folder_follows_the_platform_and_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LIGHTMEDSEG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert model_folders.user_models_folder() == tmp_path / ".local" / "share" / "LightMedSeg" / "models"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert model_folders.user_models_folder() == tmp_path / "xdg" / "LightMedSeg" / "models"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert model_folders.user_models_folder() == (
        tmp_path / "Library" / "Application Support" / "LightMedSeg" / "models"
    )
    monkeypatch.setattr(sys, "platform", "win32")
    assert model_folders.user_models_folder() == tmp_path / "Local" / "LightMedSeg" / "models"
    monkeypatch.setenv("LIGHTMEDSEG_HOME", str(tmp_path / "chosen place"))
    assert ModelStore(tmp_path).user == tmp_path / "chosen place" / "models"


def test_shipped_models_are_found_in_the_source_tree_in_a_wheel_and_in_the_share_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = _made(tmp_path / "site" / "LightMedSegLib")
    monkeypatch.setattr(model_folders, "__file__", str(library / "model_folders.py"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    assert model_folders.shipped_models_folder() is None
    for folder in (
        tmp_path / "prefix" / "share" / "lightmedseg" / "Models",
        tmp_path / "site" / "Resources" / "Models",
        library / "_resources" / "Models",
    ):
        _made(folder)
        assert model_folders.shipped_models_folder() == folder
