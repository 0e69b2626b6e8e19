"""Zip files of model packages: written reproducibly, read as untrusted input."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.storage.atomic_files import atomic_write

MAX_ENTRIES = 64
MAX_RATIO = 200
_RATIO_MATTERS_ABOVE = 1024 * 1024
_CHUNK = 1024 * 1024
# Folders and files that desktop systems add to archives; never extracted.
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


def write_zip(path: Path, top_folder: str, files: Mapping[str, Path]) -> None:
    """Pack files (name in the archive -> file) under one top folder; equal files give equal bytes.

    Raises OutputError if path cannot be written.
    """
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, source in sorted(files.items()):
            # A fixed time, so that the archive does not show when and where it was made.
            entry = zipfile.ZipInfo(f"{top_folder}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.file_size = source.stat().st_size
            with source.open("rb") as reader, archive.open(entry, "w") as writer:
                while chunk := reader.read(_CHUNK):
                    writer.write(chunk)


def extract_zip(path: Path, folder: Path, limits: Mapping[str, int]) -> None:
    """Extract into folder the files named in limits (name -> most bytes allowed), and refuse any other.

    The files may lie at the archive's root or in one top folder. Everything is checked before the first byte is
    written, and sizes again while writing, as an archive can lie about them. Raises ModelPackageError with the
    entry and the reason for absolute names, "..", links, repeated or unexpected names, encryption, unusual
    compression, too many entries, too large or suspiciously compressed entries, and damaged archives.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name, entry in _checked_entries(archive, path.name, limits).items():
                _extract(archive, entry, folder / name, limits[name], path.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError, ValueError):
        raise ModelPackageError(
            f"{path.name} is not a sound zip file: it is damaged, truncated or encrypted."
        ) from None


def _checked_entries(
    archive: zipfile.ZipFile, archive_name: str, limits: Mapping[str, int]
) -> dict[str, zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise ModelPackageError(f"{archive_name} is refused: it has {len(entries)} entries, more than {MAX_ENTRIES}.")
    files: dict[str, zipfile.ZipInfo] = {}
    tops = set()
    for entry in entries:
        parts = _safe_parts(entry, archive_name)
        if any(part in _JUNK for part in parts):
            continue
        if entry.is_dir() and len(parts) == 1:
            continue
        if len(parts) > 2 or parts[-1] not in limits:
            raise _refusal(archive_name, entry, "is not a file of a model package")
        tops.add(parts[0] if len(parts) == 2 else "")
        if parts[-1] in files:
            raise _refusal(archive_name, entry, "occurs twice")
        _check_entry(entry, limits[parts[-1]], archive_name)
        files[parts[-1]] = entry
    if len(tops) > 1:
        raise ModelPackageError(f"{archive_name} is refused: its files lie in more than one folder.")
    return files


def _safe_parts(entry: zipfile.ZipInfo, archive_name: str) -> list[str]:
    # orig_filename is what the archive says; zipfile itself cuts and rewrites some of it.
    for name in (entry.orig_filename, entry.filename):
        if name.startswith("/") or "\\" in name or ":" in name or "\0" in name:
            raise _refusal(archive_name, entry, "has an absolute or malformed name")
        if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
            raise _refusal(archive_name, entry, "would leave the package's folder")
    return entry.filename.removesuffix("/").split("/")


def _check_entry(entry: zipfile.ZipInfo, limit: int, archive_name: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.is_dir() or kind not in (0, stat.S_IFREG):
        raise _refusal(archive_name, entry, "is a link or another special file")
    if entry.flag_bits & 0x1:
        raise _refusal(archive_name, entry, "is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refusal(archive_name, entry, "has an unusual compression")
    if entry.file_size > limit:
        raise _refusal(archive_name, entry, f"has {entry.file_size} bytes, more than the {limit} allowed")
    if entry.file_size > _RATIO_MATTERS_ABOVE and entry.file_size > MAX_RATIO * entry.compress_size:
        raise _refusal(archive_name, entry, "is compressed so strongly that it looks like a zip bomb")


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int, archive_name: str) -> None:
    written = 0
    with archive.open(entry) as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            written += len(chunk)
            if written > limit:
                raise _refusal(archive_name, entry, "is larger than it says")
            writer.write(chunk)


def _refusal(archive_name: str, entry: zipfile.ZipInfo, reason: str) -> ModelPackageError:
    return ModelPackageError(f"{archive_name} is refused: its entry {entry.orig_filename[:80]!r} {reason}.")
