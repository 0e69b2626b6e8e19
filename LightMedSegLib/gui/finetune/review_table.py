"""The review table: a choice for each structure of the model and each segment that the model does not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import qt
from numpy.typing import NDArray
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.gui.widgets.tables import fit_height, set_up_table
from LightMedSegLib.learning.own_models import make_label
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.mrml.jobs.case_job import Review
from LightMedSegLib.mrml.segmentations.reading import match_labels
from LightMedSegLib.mrml.volumes import VolumeSnapshot

REVIEWED, ABSENT, LEFT_OUT = "reviewed", "absent", "left out"

_LONGEST_NAME = 64


@dataclass(frozen=True)
class Row:
    """One structure. label: None for a segment that the model does not know. segment_id: None without a segment."""

    name: str
    label: Label | None
    segment_id: str | None

    @property
    def choices(self) -> tuple[str, ...]:
        """The possible choices, the default first."""
        if self.label is None:
            return (LEFT_OUT, REVIEWED)
        return (REVIEWED, ABSENT, LEFT_OUT) if self.segment_id is not None else (LEFT_OUT, ABSENT)


@dataclass(frozen=True)
class NewReview:
    """The structures of a new model, with the values from 1, and the review of its first case."""

    labels: tuple[Label, ...]
    review: Review


class ReviewTable:
    """table: a QTableWidget with two columns."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.rows: list[Row] = []
        set_up_table(table, 0)

    def show(self, node: Any, card: ModelCard | None) -> None:
        """Show the structures of a model and a segmentation node; choices for structures that remain are kept."""
        rows = _rows(node, card) if node is not None and card is not None else []
        if rows == self.rows:
            return
        before = {row: self.choice(index) for index, row in enumerate(self.rows)}
        self.rows = rows
        self._table.setRowCount(len(rows))
        previous = self._table
        for index, row in enumerate(rows):
            item = qt.QTableWidgetItem(row.name)
            item.setToolTip(row.name)
            self._table.setItem(index, 0, item)
            selector = qt.QComboBox()
            for choice in row.choices:
                selector.addItem(_choice_text(choice, row))
            selector.toolTip = self._table.horizontalHeaderItem(1).toolTip()
            selector.accessibleName = row.name
            self._table.setCellWidget(index, 1, selector)
            # Otherwise Tab would come to it after everything else in the panel.
            self._table.setTabOrder(previous, selector)
            previous = selector
            if row in before:
                self.choose(index, before[row])
        fit_height(self._table)

    def choice(self, index: int) -> str:
        """The choice of a row: REVIEWED, ABSENT or LEFT_OUT."""
        return self.rows[index].choices[self._table.cellWidget(index, 1).currentIndex]

    def choose(self, index: int, choice: str) -> None:
        """Set the choice of a row."""
        self._table.cellWidget(index, 1).currentIndex = self.rows[index].choices.index(choice)

    def review(self, node: Any, region: Callable[[VolumeSnapshot], NDArray[Any]] | None) -> Review:
        """The choices as the library takes them. Raises InputImageError if nothing is checked or a name is unusable."""
        values: dict[str, int] = {}
        labels: list[int] = []
        absent: list[int] = []
        added: list[Label] = []
        known = max((row.label.value for row in self.rows if row.label is not None), default=0)
        for index, row in enumerate(self.rows):
            choice = self.choice(index)
            if choice == LEFT_OUT:
                continue
            label = row.label
            if label is None:
                label = _new_label(known + len(added) + 1, row, node)
                added.append(label)
            labels.append(label.value)
            if row.segment_id is not None:
                values[row.segment_id] = label.value
            if choice == ABSENT:
                absent.append(label.value)
        if not labels:
            raise InputImageError(_("No structure is marked as checked; mark at least one."))
        return Review(values, tuple(labels), tuple(absent), tuple(added), region)

    def new_model_review(self, node: Any, region: Callable[[VolumeSnapshot], NDArray[Any]] | None) -> NewReview:
        """The checked segments as structures of a new model; all segments if none is checked.

        Raises InputImageError for a name that is unusable.
        """
        shown = [row for row in self.rows if row.segment_id is not None]
        checked = [row for row in shown if self.choice(self.rows.index(row)) == REVIEWED] or shown
        labels = tuple(
            replace(row.label, value=value) if row.label is not None else _new_label(value, row, node)
            for value, row in enumerate(checked, start=1)
        )
        values = {row.segment_id: label.value for row, label in zip(checked, labels, strict=True) if row.segment_id}
        return NewReview(labels, Review(values, tuple(values.values()), region=region))


def _rows(node: Any, card: ModelCard) -> list[Row]:
    segmentation = node.GetSegmentation()
    found = match_labels(node, card.labels)
    segment_of = {value: segment_id for segment_id, value in found.items()}
    rows = [Row(label.name, label, segment_of.get(label.value)) for label in card.labels]
    strangers: Sequence[str] = [item for item in segmentation.GetSegmentIDs() if item not in found]
    return [*rows, *(Row(segmentation.GetSegment(item).GetName(), None, item) for item in strangers)]


def _new_label(value: int, row: Row, node: Any) -> Label:
    name = " ".join(row.name.split())
    if not name or len(name) > _LONGEST_NAME:
        raise InputImageError(
            _("The segment '{name}' needs a name of 1 to {most} characters to become a structure.").format(
                name=row.name, most=_LONGEST_NAME
            )
        )
    red, green, blue = (round(255 * part) for part in node.GetSegmentation().GetSegment(row.segment_id).GetColor())
    return replace(make_label(value, name), color=(red, green, blue))


def _choice_text(choice: str, row: Row) -> str:
    if choice == REVIEWED:
        return _("Checked, it is right") if row.label is not None else _("New structure, it is right")
    if choice == ABSENT:
        return _("Not in this scan")
    return _("Not checked") if row.label is not None else _("Leave it out")
