"""The group level: the volumes of all results of a derivative in one table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LightMedSegLib.cohorts.bids.dataset import RESULT_FOLDER, chosen_folders
from LightMedSegLib.cohorts.bids.derivative import json_text, write_text
from LightMedSegLib.cohorts.bids.label_tables import MISSING, VOLUME, read_label_table, write_table
from LightMedSegLib.cohorts.bids.names import DESCRIPTION, RESULT_ENDING, RESULT_SUFFIX
from LightMedSegLib.core.errors import InputImageError

GROUP_TABLE = "group_volumes"

_KEYS = {
    "participant_id": {"Description": "Participant"},
    "session_id": {"Description": "Session"},
    "segmentation": {"Description": "File of the segmentation"},
}


@dataclass(frozen=True)
class _Result:
    """One row: participant, session ("" without one), file of the segmentation, volumes in ml by name."""

    participant: str
    session: str
    file: str
    volumes: dict[str, str]


def write_group_table(output: Path, participants: Sequence[str] = ()) -> tuple[Path, int]:
    """Write the table of all volumes in ml, one row a result, and return its path and the number of results.

    participants: only these, with or without sub-; none for all. A structure that a result does not have is n/a. The
    sidecar has the names of the structures.

    Raises InputImageError if there is no result, a participant has no folder or a table is damaged, OutputError if the
    table cannot be written.
    """
    if not output.is_dir():
        raise InputImageError(f"{output} is not a folder; run the participant level first.")
    results = [result for folder in chosen_folders(output, "sub", participants) for result in _results(output, folder)]
    if not results:
        raise InputImageError(f"{output} holds no results; run the participant level first.")
    names = _columns(result.volumes for result in results)
    keys = [key for key in _KEYS if key != "session_id" or any(result.session for result in results)]
    rows = [_row(result, keys, names) for result in results]
    write_table(output / f"{GROUP_TABLE}.tsv", [*keys, *names], rows)
    about: dict[str, Any] = {key: _KEYS[key] for key in keys}
    about |= {column: {"Description": f"Volume: {name}", "Units": "mL"} for column, name in names.items()}
    write_text(output / f"{GROUP_TABLE}.json", json_text(about))
    return output / f"{GROUP_TABLE}.tsv", len(results)


def _results(output: Path, participant: Path) -> Iterator[_Result]:
    for session in (participant, *chosen_folders(participant, "ses")):
        for table in sorted((session / RESULT_FOLDER).glob(f"*_desc-{DESCRIPTION}_{RESULT_SUFFIX}.tsv")):
            try:
                volumes = {row["name"]: row[VOLUME] for row in read_label_table(table)}
            except (OSError, ValueError) as error:
                raise InputImageError(
                    f"{table} cannot be read ({error}); remove it and segment its scan again."
                ) from error
            file = table.with_name(table.stem + RESULT_ENDING).relative_to(output).as_posix()
            yield _Result(participant.name, "" if session is participant else session.name, file, volumes)


def _columns(volumes: Iterable[dict[str, str]]) -> dict[str, str]:
    """The structures' names by their columns, in the order in which they occur."""
    names: dict[str, str] = {}
    for name in dict.fromkeys(name for one in volumes for name in one):
        column = re.sub(r"\W+", "_", name.lower()).strip("_")
        # Two names may differ in nothing but signs.
        names[column if column not in names else f"{column}_{len(names) + 1}"] = name
    return names


def _row(result: _Result, keys: Sequence[str], names: dict[str, str]) -> list[str]:
    values = {
        "participant_id": result.participant,
        "session_id": result.session or MISSING,
        "segmentation": result.file,
    }
    return [*(values[key] for key in keys), *(result.volumes.get(name, MISSING) for name in names.values())]
