"""Files and folders that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.storage.atomic_files import (
    STALE_AFTER_SECONDS,
    atomic_folder,
    atomic_write,
    is_temporary,
    remove_folder,
    remove_stale,
    replace_folder,
    temporary_name,
)


def age(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def failing(code: int) -> Callable[..., None]:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_the_file_appears_after_the_block_and_nothing_else_remains(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "result.nii.gz") as temporary:
        temporary.write_bytes(b"new")
        assert not (tmp_path / "result.nii.gz").exists()
    assert (tmp_path / "result.nii.gz").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["result.nii.gz"]


@pytest.mark.parametrize("name", ["a.nii.gz", "a.seg.nrrd", "a.mha", "a", "scan 12.5.nii.gz", "é" * 100 + ".nii.gz"])
def test_the_temporary_name_keeps_what_a_writer_chooses_the_format_by(tmp_path: Path, name: str) -> None:
    with atomic_write(tmp_path / name) as temporary:
        assert temporary.parent == tmp_path
        assert "".join(temporary.suffixes).endswith("".join(Path(name).suffixes[-2:]))
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, OutputError])
def test_an_exception_leaves_the_old_file_and_no_other(tmp_path: Path, exception: type[BaseException]) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(exception), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise exception
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "there is no permission"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
@pytest.mark.parametrize(("holder", "call"), [(os, "fsync"), (Path, "replace")])
def test_a_disk_that_refuses_is_explained_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str, holder: object, call: str
) -> None:
    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(holder, call, failing(code))
    with pytest.raises(OutputError, match=words) as caught, atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert str(caught.value).startswith(f"{tmp_path / 'a.txt'} cannot be written: ")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_inside_the_block_is_explained_too(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full"), atomic_write(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_while_a_file_is_copied_is_explained_too(tmp_path: Path) -> None:
    """Such an error names the file that is copied first, and then the one that could not be written."""
    target = tmp_path / "new"
    with pytest.raises(OutputError, match="the disk is full"), atomic_folder(target) as temporary:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "source"), None, str(temporary / "a"))
    assert not list(tmp_path.iterdir())


def test_trouble_with_another_file_inside_the_block_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a.txt"):
        (tmp_path / "input.txt").read_text()


def test_a_missing_folder_shows_before_the_work_begins(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the folder .*gone does not exist"), atomic_write(tmp_path / "gone" / "a"):
        pytest.fail("the block must not run")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), atomic_write(tmp_path / "file" / "a"):
        pytest.fail("the block must not run")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a plain user")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="no permission"), atomic_write(tmp_path / "a"):
            pytest.fail("the block must not run")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_or_a_device_is_never_replaced(tmp_path: Path) -> None:
    targets = [tmp_path] if os.name == "nt" else [tmp_path, Path(os.devnull)]
    for target in targets:
        with pytest.raises(OutputError, match="not a plain file"), atomic_write(target):
            pytest.fail("the block must not run")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_through_a_link_the_file_that_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "data" / "real.txt")
    with atomic_write(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "data" / "real.txt").read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="the permissions are those of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "a.txt").chmod(mode)
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600, "nobody else may read it while it is written"
    assert (tmp_path / "a.txt").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode
    with atomic_write(tmp_path / "a.txt", private=True) as temporary:
        temporary.write_text("of a patient")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o600


def test_a_disk_without_permissions_takes_the_new_file_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(Path, "chmod", failing(errno.EPERM))
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "new"


def two_folders(parent: Path) -> tuple[Path, Path]:
    for name, text in (("model", "old"), ("fresh", "new")):
        (parent / name).mkdir()
        (parent / name / "a").write_text(text)
    return parent / "fresh", parent / "model"


def test_the_old_folder_goes_when_the_new_one_has_its_name(tmp_path: Path) -> None:
    fresh, target = two_folders(tmp_path)
    replace_folder(fresh, target)
    assert (target / "a").read_text() == "new" and list(tmp_path.iterdir()) == [target]
    target.rename(fresh)
    replace_folder(fresh, target)
    assert (target / "a").read_text() == "new" and list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_take_the_name_leaves_the_old_one_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, target = two_folders(tmp_path)
    rename = Path.rename

    def refused(source: Path, name: Path) -> Path:
        if source == fresh:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(source, name)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OutputError, match="the disk is full"):
        replace_folder(fresh, target)
    assert (target / "a").read_text() == "old"


def test_no_half_of_a_removed_folder_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, target = two_folders(tmp_path)
    monkeypatch.setattr("LightMedSegLib.storage.atomic_files.shutil.rmtree", failing(errno.EIO))
    remove_folder(target)
    assert not target.exists()
    remove_folder(target)
    monkeypatch.undo()
    remove_stale(tmp_path, older_than=-1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["fresh"]


def test_a_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "new" / "model") as temporary:
        (temporary / "a").write_text("a")
        assert not (tmp_path / "new" / "model").exists()
    assert (tmp_path / "new" / "model" / "a").read_text() == "a"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(FileExistsError), atomic_folder(tmp_path / "model"):
        pytest.fail("the block must not run")


def test_the_slower_of_two_writers_of_a_folder_is_told_and_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), atomic_folder(tmp_path / "model") as temporary:
        (temporary / "a").write_text("slow")
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "a").write_text("quick")
    assert (tmp_path / "model" / "a").read_text() == "quick"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_place_of_the_parent_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a folder"), atomic_folder(tmp_path / "file" / "model"):
        pytest.fail("the block must not run")


def test_every_file_and_the_folder_are_synced_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform == "win32":
        pytest.skip("folders cannot be synced on Windows")
    events: list[str] = []
    inodes: dict[int, str] = {}
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(handle: int) -> None:
        events.append(inodes.get(os.fstat(handle).st_ino, "parent"))
        real_fsync(handle)

    def rename(source: Path, target: Path) -> Path:
        events.append("rename")
        return real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    with atomic_folder(tmp_path / "model") as temporary:
        for name in ("a", "b"):
            (temporary / name).write_text(name)
            inodes[(temporary / name).stat().st_ino] = name
        inodes[temporary.stat().st_ino] = "folder"
    assert events == ["a", "b", "folder", "rename", "parent"]


def test_only_clearly_stale_leftovers_are_removed(tmp_path: Path) -> None:
    stale_folder, fresh_folder, stale_file = (tmp_path / temporary_name() for _ in range(3))
    busy_folder, bystander = tmp_path / temporary_name(), tmp_path / "model@1.0.0"
    for folder in (stale_folder, fresh_folder, busy_folder, bystander):
        folder.mkdir()
        (folder / "weights").touch()
    stale_file.touch()
    for path in (stale_folder / "weights", stale_folder, stale_file, busy_folder, bystander / "weights", bystander):
        age(path, STALE_AFTER_SECONDS + 60)
    remove_stale(tmp_path)
    assert set(tmp_path.iterdir()) == {fresh_folder, busy_folder, bystander}
    assert is_temporary(fresh_folder)
    assert not is_temporary(bystander)


def test_looking_for_leftovers_in_a_missing_folder_does_nothing(tmp_path: Path) -> None:
    remove_stale(tmp_path / "gone")
