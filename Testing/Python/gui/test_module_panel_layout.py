"""The panel in every state, on a small screen, with large letters and long texts: nothing is cut or out of sight."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from panel_bench import Bench
from paths import REPOSITORY

SMALL_SCREEN, SCALED_SCREEN = 459, 203
"""Pixels that Slicer leaves for a module on 1366x768, at 100 % and at 150 %."""
WIDE, NARROW = 500, 380
LARGE_LETTERS = 1.5
MOST_ROWS = 12


@dataclass
class Survey:
    """found: for each kind of finding, what was found, with the state of the panel and the layout it was seen in."""

    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    states: list[str] = field(default_factory=list)
    warned: set[str] = field(default_factory=set)

    def add(self, kind: str, where: str, problems: Iterator[str]) -> None:
        self.found[kind] += [f"{where}: {problem}" for problem in problems]


def longer(text: str) -> str:
    """A text that is 40 % longer, as translations may be; in words of usual length, or it could never be wrapped."""
    length = len(re.sub(r"\{.*?\}", "", text)) * 2 // 5
    words = ["m" * min(7, length - start) for start in range(0, length, 8)]
    return " ".join([text, *words])[: len(text) + 1 + length] if " " in text or length > 4 else text + "m" * length


class LongTranslations(dict):  # type: ignore[type-arg]
    """Every text of the module in a language of long words."""

    def get(self, key: Any, default: Any = None) -> Any:
        context, text = key
        return longer(text) if context.startswith("gui.") or context == "LightMedSeg" else default


def survey(folder: Path, look: Callable[[Survey, str, Any], None], *, long_texts: bool) -> Survey:
    """Walk through all states of the panel, and look at each."""
    import slicer
    from panel_states import PanelStates
    from Runtime.bootstrap import start

    session, made, load = start(folder / "slicer-home"), Survey(), slicer.util.loadUI
    session.reset()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTMEDSEG_HOME", str(folder / "home"))
        if long_texts:
            patch.setattr(session.application, "translations", LongTranslations())
            patch.setattr(slicer.util, "loadUI", lambda path: load(with_long_texts(Path(path), folder)))
        session.load_module(REPOSITORY / "LightMedSeg" / "LightMedSeg.py")
        for state in PanelStates(session).walk():
            made.states.append(state)
            look(made, state, slicer.modules.LightMedSegWidget)
    session.finish()
    return made


def with_long_texts(path: Path, folder: Path) -> str:
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"<string>(.+?)</string>", lambda found: f"<string>{longer(found[1])}</string>", text)
    (folder / path.name).write_text(text, encoding="utf-8")
    return str(folder / path.name)


def look_at_everything(made: Survey, state: str, panel: Any) -> None:
    from panel_layout import scale_font, show_at

    if panel.ui.warningFrame.visible:
        made.warned.add(state)
    for factor in (1.0, LARGE_LETTERS):
        scale_font(factor)
        for width in (WIDE, NARROW):
            show_at(panel, width, SMALL_SCREEN)
            look_at(made, f"{state}, {width} wide, letters x {factor}", panel, width, factor)
        scale_font(1 / factor)
    show_at(panel, WIDE, SMALL_SCREEN)


def look_at(made: Survey, where: str, panel: Any, width: int, factor: float) -> None:
    from panel_layout import badly_fitted_tables, bottom, controls, cut_texts, empty_parts, out_of_order, overlaps

    root = panel.parent._checked()
    made.add("overlap", where, overlaps(root))
    made.add("tables", where, badly_fitted_tables(root, MOST_ROWS))
    if factor == 1.0:
        made.add("order", where, out_of_order(root))
        made.add("cut" if width == WIDE else "cut where narrow", where, cut_texts(root))
        if width == WIDE:
            made.add("gap", where, empty_parts(root))
            made.add("tool tip", where, (item.objectName() for item in controls(root) if not item.toolTip()))
            nameless = (item.objectName() for item in controls(root) if not (item.accessibleName() or name_of(item)))
            made.add("name", where, nameless)
        if root.minimumSizeHint().width() > NARROW:
            made.add("width", where, iter([f"needs {root.minimumSizeHint().width()}"]))
    if panel.ui.detailsButton.checked:
        # Who asks for details scrolls.
        return
    # Without torch or a volume there is something else to do first.
    first = panel.ui.installTorchButton if panel.ui.torchFrame.visible else panel.ui.segmentButton
    end = bottom(first, panel.parent)
    if end > SMALL_SCREEN:
        made.add("segment", where, iter([f"{first.objectName} ends at {end}"]))
    if end > SCALED_SCREEN and factor == 1.0 and first.enabled:
        made.add("segment at 150 %", where, iter([f"{first.objectName} ends at {end}"]))


def name_of(widget: Any) -> str:
    return str(widget.text()) if hasattr(widget, "text") else ""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return survey(tmp_path_factory.mktemp("plain"), look_at_everything, long_texts=False)


@pytest.fixture(scope="module")
def translated(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return survey(tmp_path_factory.mktemp("translated"), look_at_everything, long_texts=True)


def test_all_states_are_looked_at(plain: Survey) -> None:
    from LightMedSegLib.model.store import ModelStore

    cards = [entry.card for entry in ModelStore().list() if entry.shipped and entry.card is not None]
    shipped = {card.name for card in cards if not card.promptable}
    assert shipped and {f"03-model-{name}" for name in shipped} <= set(plain.states)
    assert len(plain.states) > 18
    assert {"03-model-headneck-oar-ct", "09-edited"} <= plain.warned


@pytest.mark.parametrize(
    "kind",
    [
        "segment",
        "segment at 150 %",
        "tables",
        "cut",
        "cut where narrow",
        "gap",
        "overlap",
        "width",
        "tool tip",
        "name",
        "order",
    ],
)
def test_nothing_is_wrong_in_any_state(plain: Survey, kind: str) -> None:
    assert plain.found[kind][:20] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["segment", "tables", "cut", "overlap"])
def test_longer_translations_fit(translated: Survey, kind: str) -> None:
    assert translated.found[kind][:20] == []


def test_long_names_do_not_widen_the_panel(bench: Bench) -> None:
    """A name without a space cannot be wrapped, and Slicer makes the panel as wide as it asks for."""
    import slicer
    from panel_layout import settle

    root = bench.panel.parent._checked()
    bench.ui.finetuneSectionButton.collapsed = bench.ui.aboutButton.collapsed = False
    shown = bench.choose_volume("Short")
    slicer.app.applicationLogic().GetSelectionNode().SetActiveVolumeID(shown.GetID())
    bench.run()
    settle()
    width = root.minimumSizeHint().width()
    bench.choose_volume("S" * 120)
    assert "S" * 120 in bench.ui.checksLabel.text
    bench.run()
    settle()
    assert "S" * 120 in bench.ui.caseSourceLabel.text
    assert root.minimumSizeHint().width() == width <= NARROW
