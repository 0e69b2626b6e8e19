"""The module's source and its .ui files use only what the contract of PythonQt has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from paths import REPOSITORY
from Runtime.contract.source_check import Source, check, check_files, check_ui, ui_classes

FOLDERS = ("LightMedSeg", "LightMedSegLib/gui", "LightMedSegLib/mrml")
SOURCES = [path for folder in FOLDERS for path in sorted((REPOSITORY / folder).rglob("*.py"))]
UI_FILES = sorted((REPOSITORY / "LightMedSeg" / "Resources" / "UI").rglob("*.ui"))
# Each file with a single-shot timer, and how it makes it one.
TIMERS = {"LightMedSeg/LightMedSeg.py": "self._importTimer", "LightMedSegLib/gui/widgets/node_watch.py": "self._timer"}


def _ui() -> dict[str, str]:
    return {name: kind for path in UI_FILES for name, kind in ui_classes(path).items()}


def _texts(source: str, ui: dict[str, str] | None = None) -> list[str]:
    report = check([Source.of(Path("snippet.py"), source)], ui or {})
    return [finding.text for finding in report.findings]


def test_the_source_has_nothing_that_the_contract_lacks() -> None:
    report = check_files(SOURCES, _ui())
    assert [str(finding) for finding in report.findings] == []
    assert report.checked > 700
    unseen = [path for path in SOURCES if _uses_widgets(path) and not report.checked_in[path]]
    assert unseen == [], "the walk knows no class of any object there"


def _uses_widgets(path: Path) -> bool:
    """Whether a file imports qt or ctk, or takes a widget from the .ui files."""
    return re.search(r"^\s*import (qt|ctk)$|\.ui[.,]|\.ui$", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_the_walk_reaches_every_file_that_knows_widgets() -> None:
    rooms = {path.parent.name for path in SOURCES}
    assert rooms > {
        "LightMedSeg",
        "segment",
        "correct",
        "doubt",
        "effort",
        "finetune",
        "self_test",
        "widgets",
        "strokes",
    }
    others = sorted(set((REPOSITORY / "LightMedSegLib").rglob("*.py")) - set(SOURCES))
    assert [path for path in others if _uses_widgets(path)] == [], "only the panel knows Qt"


def _first_widget(path: Path) -> str:
    named = re.search(r"\bui\.([a-z]\w+)", path.read_text(encoding="utf-8"))
    return named[1] if named is not None and _uses_widgets(path) else ""


@pytest.mark.parametrize("path", [path for path in SOURCES if _first_widget(path)], ids=lambda path: path.stem)
def test_a_misspelled_widget_is_found_in_every_file_that_has_one(path: Path) -> None:
    widget = _first_widget(path)
    wrong = path.read_text(encoding="utf-8").replace(f"ui.{widget}", f"ui.{widget}Typo", 1)
    found = [finding.text for finding in check([Source.of(path, wrong)], _ui()).findings]
    assert f"the .ui file has no widget '{widget}Typo'" in found


def test_the_ui_files_have_nothing_that_the_contract_lacks() -> None:
    assert [problem for path in UI_FILES for problem in check_ui(path)] == []
    assert UI_FILES


@pytest.mark.parametrize("path", TIMERS)
def test_the_lines_that_kept_the_module_from_opening_are_found(path: str) -> None:
    right = (REPOSITORY / path).read_text(encoding="utf-8")
    timer = TIMERS[path]
    wrong = right.replace(f"{timer}.setSingleShot(True)", f"{timer}.singleShot = True")
    assert wrong != right
    line = wrong[: wrong.index(f"{timer}.singleShot")].count("\n") + 1
    (finding,) = check([Source.of(Path(path), wrong)], _ui()).findings
    assert (finding.line, finding.text) == (line, "Slot 'singleShot' can not be overwritten on QTimer object")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("t = qt.QTimer()\nt.singleShot = True", "Slot 'singleShot' can not be overwritten on QTimer"),
        ("w = qt.QLabel()\nw.tooltip = 'a'", "'tooltip' does not exist on QLabel"),
        ("w = qt.QLabel()\nprint(w.tooltip)", "QLabel has no attribute named 'tooltip'"),
        ("w = qt.QLabel()\nw.width = 3", "Property 'width' of QLabel object is not writable"),
        ("w = qt.QLabel()\nw.text()", "'text' of QLabel is a property"),
        ("w = qt.QPushButton()\nw.clicked = print", "Signal 'clicked' can not be overwritten"),
        (
            "w = qt.QPushButton()\nw.connect('clicked(int)', print)",
            "signal 'clicked(int)' does not exist on QPushButton",
        ),
        (
            "a = qt.QSlider()\nb = qt.QSpinBox()\na.connect('valueChanged(int)', b, 'setValu(int)')",
            "slot 'setValu(int)'",
        ),
        ("w = qt.QLabel(text='a')", "does not support kwargs"),
        ("w = qt.QLabel()\nw.setText(text='a')", "does not support kwargs"),
        ("qt.Qt.CTRL", "Qt has no attribute named 'CTRL'"),
        ("qt.QHeaderView.Strech", "QHeaderView has no attribute named 'Strech'"),
        ("qt.QButton()", "module 'qt' has no attribute 'QButton'"),
        ("ctk.ctkSlider()", "module 'ctk' has no attribute 'ctkSlider'"),
        ("w = ctk.ctkCollapsibleButton()\nw.setCollapsed(True)", "no attribute named 'setCollapsed'"),
        ("isinstance(w, qt.QWidget)", "use inherits()"),
        ("class A(ctk.ctkSliderWidget):\n def showEvent(self, e): pass", "A.showEvent is ignored"),
        ("ui.box.chekced = True", "'chekced' does not exist on QCheckBox"),
        ("class A:\n def f(self):\n  self._ui.bix.checked = True", "no widget 'bix'"),
        ("class A:\n def __init__(self): self.t = qt.QTimer()\n def f(self): self.t.begin()", "QTimer has no"),
        ("def fill(table): table.rowHight(1)\nfill(ui.table)", "QTableWidget has no attribute named 'rowHight'"),
        ("def f(w: 'qt.QLabel'): w.txt", "QLabel has no attribute named 'txt'"),
        ("ui.table.horizontalHeader().strech()", "QHeaderView has no attribute named 'strech'"),
        ("for w in (ui.box, ui.table): w.enable = 1", "'enable' does not exist on QCheckBox"),
        ("slicer.util.getModuleWidget('SegmentEditor').editor.setVolume(n)", "qMRMLSegmentEditorWidget has no"),
        (
            "w = slicer.util.getModuleWidget('SegmentEditor')\ne = w.editor\ne.activeEffect = 'Paint'",
            "qMRMLSegmentEditorWidget",
        ),
        ("slicer.app.layoutMangager()", "qSlicerApplication has no attribute named 'layoutMangager'"),
        ("slicer.app.layoutManager().sliceWigdet('Red')", "qSlicerLayoutManager has no"),
    ],
)
def test_a_mistake_is_found(source: str, text: str) -> None:
    found = _texts(source, {"box": "QCheckBox", "table": "QTableWidget"})
    assert any(text in finding for finding in found), found


@pytest.mark.parametrize(
    "source",
    [
        "t = qt.QTimer()\nt.setSingleShot(True)\nt.interval = 3\nqt.QTimer.singleShot(0, print)",
        "w = qt.QLabel()\nw.text = 'a'\nw.connect('destroyed( )', print)\nw.name = 'b'",
        "i = qt.QTableWidgetItem()\ni.text()\ni.setFlags(qt.Qt.ItemIsEnabled)",
        "d = qt.QDialog()\nd.exec_()",
        "slicer.app.extensionsManagerModel().interactive = False",
        "ui.box.connect('toggled(bool)', ui.table, 'setVisible(bool)')",
        "qt.Qt.CheckState.Checked",
    ],
)
def test_what_is_right_is_left_alone(source: str) -> None:
    assert _texts(source, {"box": "QCheckBox", "table": "QTableWidget"}) == []


def test_a_ui_file_with_mistakes_is_found(tmp_path: Path) -> None:
    path = tmp_path / "wrong.ui"
    path.write_text(
        '<ui><widget class="QWidget" name="a"><property name="tooltip"/><property stdset="0" name="own"/>'
        '<widget class="ctkSlider" name="b"/></widget><connections><connection><sender>a</sender>'
        "<signal>clicked()</signal><receiver>a</receiver><slot>shut()</slot></connection></connections></ui>"
    )
    assert check_ui(path) == [
        "b: no such class",
        "a: QWidget has no property 'tooltip'",
        "a: QWidget has no signal clicked()",
        "a: QWidget has no slot shut()",
    ]
