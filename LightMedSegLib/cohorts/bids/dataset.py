"""The scans of a BIDS dataset that a model is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from LightMedSegLib.cohorts.bids.contrasts import NOT_IN_BIDS, Contrasts
from LightMedSegLib.cohorts.bids.ignored import IGNORE_FILE, ignored
from LightMedSegLib.cohorts.bids.misnamed import misnamed, misplaced
from LightMedSegLib.cohorts.bids.names import BidsName, parse_name
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.scan_folders import BIDS_FILE, FoundScans, LeftOut, Scan

SOURCE_FOLDERS, RESULT_FOLDER = ("anat", "ct"), "anat"
"""Folders that are searched for scans, and the one for results: BIDS has no folder for CT, and none for its results."""

_MOST_NAMED = 10


@dataclass(frozen=True)
class _File:
    """A scan: its path, its name's parts, and its path relative to the dataset."""

    path: Path
    name: BidsName
    place: str


def find_bids_scans(
    dataset: Path, contrasts: Contrasts, participants: Sequence[str] = (), sessions: Sequence[str] = ()
) -> FoundScans:
    """Return the scans of a BIDS dataset with the suffixes of contrasts.

    participants and sessions, with or without sub- and ses-: only these; none for all. Only the folders sub-* are
    read, so sourcedata and derivatives are not. Scan.name is the path of the result in the derivative. A result's name
    has no suffix, so of several contrasts with the same entities the preferred one is segmented. Left out are the
    others, volumes whose names or places do not follow BIDS, files that .bidsignore names (except CT, which BIDS does
    not define), links without their content, such as git-annex makes, and folders that cannot be read.

    Raises InputImageError if the folder is not a BIDS dataset, has no such participant or session, or holds no scan.
    """
    check_dataset(dataset)
    chosen = chosen_folders(dataset, "sub", participants)
    is_ignored = ignored(dataset)
    scans: list[Scan] = []
    left_out: list[LeftOut] = []
    sessions_met = set()
    for participant in chosen:
        for session in _sessions(dataset, participant, left_out):
            label = session.name.removeprefix("ses-") if session is not participant else ""
            sessions_met.add(label)
            if sessions and label not in _labels("ses", sessions):
                continue
            files = _files(dataset, session, left_out)
            for result, of_result in _by_result(dataset, session, files).items():
                _sort_out(result, of_result, contrasts, is_ignored, scans, left_out)
            left_out.extend(misnamed(dataset, files, contrasts, is_ignored))
            left_out.extend(misplaced(dataset, _inside(dataset, session, left_out), is_ignored))
    missing = [label for label in _labels("ses", sessions) if label not in sessions_met]
    if missing:
        raise InputImageError(f"{dataset} has no session ses-{missing[0]} of these participants.")
    if not scans and not left_out:
        ct = any(suffix in NOT_IN_BIDS for one in contrasts for suffix in one)
        places = " or ".join(SOURCE_FOLDERS if ct else (RESULT_FOLDER,))
        suffixes = " or ".join(f"_{suffix}" for one in contrasts for suffix in one)
        raise InputImageError(f"{dataset} holds no scan that ends in {suffixes} in a folder {places}.")
    return FoundScans(tuple(sorted(scans, key=lambda one: one.name)), tuple(sorted(left_out, key=lambda one: one.name)))


def check_dataset(dataset: Path) -> None:
    """Raise InputImageError unless dataset is the folder of a BIDS dataset."""
    if not dataset.is_dir():
        raise InputImageError(f"{dataset} is not a folder.")
    if not (dataset / BIDS_FILE).is_file():
        raise InputImageError(f"{dataset} is not a BIDS dataset: it has no {BIDS_FILE}.")


def chosen_folders(folder: Path, key: str, wanted: Sequence[str] = ()) -> list[Path]:
    """Return the folders key-LABEL in folder, sorted; only those of the wanted labels, if there are any.

    Raises InputImageError for a label without folder, and for a folder that cannot be read.
    """
    try:
        found = {path.name: path for path in folder.iterdir() if path.name.startswith(f"{key}-") and path.is_dir()}
    except OSError as error:
        raise InputImageError(f"{folder} cannot be read: {error.strerror or error}.") from error
    names = [f"{key}-{label}" for label in _labels(key, wanted)] or sorted(found)
    missing = [name for name in names if name not in found]
    if missing:
        some = ", ".join(sorted(found)[:_MOST_NAMED])
        more = ", ..." if len(found) > _MOST_NAMED else ""
        raise InputImageError(f"{folder} has no {missing[0]}; it has {some or 'none'}{more}.")
    return [found[name] for name in names]


def _labels(key: str, wanted: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(one.removeprefix(f"{key}-") for one in wanted))


def _sessions(dataset: Path, participant: Path, left_out: list[LeftOut]) -> list[Path]:
    """The folders that hold the data types of a participant: those of the sessions, and its own."""
    try:
        return [participant, *chosen_folders(participant, "ses")]
    except InputImageError:
        left_out.append(_unreadable(dataset, participant))
        return []


def _by_result(dataset: Path, session: Path, files: Iterable[Path]) -> dict[str, list[_File]]:
    """The files with names of BIDS in a session, by the path of their result."""
    found: dict[str, list[_File]] = {}
    for path in files:
        name = parse_name(path.name)
        if name is not None:
            result = (session.relative_to(dataset) / RESULT_FOLDER / name.result).as_posix()
            found.setdefault(result, []).append(_File(path, name, path.relative_to(dataset).as_posix()))
    return found


def _files(dataset: Path, session: Path, left_out: list[LeftOut]) -> list[Path]:
    return [file for name in SOURCE_FOLDERS for file in _inside(dataset, session / name, left_out)]


def _inside(dataset: Path, folder: Path, left_out: list[LeftOut]) -> list[Path]:
    """What a folder holds, sorted; one that cannot be read is added to left_out."""
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError:
        left_out.append(_unreadable(dataset, folder))
        return []


def _unreadable(dataset: Path, folder: Path) -> LeftOut:
    return LeftOut(folder.relative_to(dataset).as_posix(), "the folder cannot be read; change its permissions")


def _place_in_name(place: str) -> tuple[tuple[str, str], ...]:
    """The entities with which the name of a file in this place begins: its participant and its session."""
    pairs = (part.partition("-") for part in place.split("/")[:-2])
    return tuple((key, value) for key, _, value in pairs)


def _sort_out(
    result: str,
    files: Sequence[_File],
    contrasts: Contrasts,
    is_ignored: Callable[[str], bool],
    scans: list[Scan],
    left_out: list[LeftOut],
) -> None:
    """Add the scan of one result to scans, and to left_out what is not segmented."""
    usable: list[_File] = []
    for file in files:
        if not any(file.name.suffix in wanted for wanted in contrasts):
            continue
        expected = _place_in_name(file.place)
        if file.name.entities[: len(expected)] != expected:
            prefix = "_".join("-".join(entity) for entity in expected)
            left_out.append(LeftOut(file.place, f"its name does not begin with {prefix}_, as its folder requires"))
        elif file.name.suffix not in NOT_IN_BIDS and is_ignored(file.place):
            left_out.append(LeftOut(file.place, f"{IGNORE_FILE} names it"))
        elif not file.path.exists():
            left_out.append(LeftOut(file.place, "it is a link without its content (fetch it, as with datalad get)"))
        else:
            usable.append(file)
    ranked = [[file for suffix in one for file in usable if file.name.suffix == suffix] for one in contrasts]
    chosen = [files[0] for files in ranked if files]
    if len(chosen) < len(contrasts):
        left_out.extend(LeftOut(file.place, "the model reads several contrasts, and one is missing") for file in chosen)
        return
    scans.append(Scan(result, tuple(file.path for file in chosen)))
    for file in usable:
        if file not in chosen:
            reason = f"its result would be named like that of {chosen[0].path.name}"
            other = chosen[0].name.suffix != file.name.suffix
            hint = f" (--contrast {file.name.suffix} segments it instead)" if other else ""
            left_out.append(LeftOut(file.place, reason + hint))
