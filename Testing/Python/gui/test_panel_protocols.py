"""What the sections of the panel know of it: typed protocols and one state, so that mypy sees what they ask for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from panel_bench import MODULE_FILE
from paths import REPOSITORY

GUI = REPOSITORY / "LightMedSegLib" / "gui"
FILES = [path for path in sorted(GUI.rglob("*.py")) if path.parent.name != "self_test"]


def panel_types(source: str) -> list[str]:
    """The type of every argument named panel; "" without one."""
    return [
        ast.unparse(argument.annotation) if argument.annotation is not None else ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        for argument in [*node.args.args, *node.args.kwonlyargs]
        if argument.arg == "panel"
    ]


def test_the_rule_finds_a_panel_without_a_type() -> None:
    assert panel_types("def f(panel: Any, x): ...\ndef g(self, panel): ...") == ["Any", ""]
    assert sum(len(panel_types(path.read_text(encoding="utf-8"))) for path in FILES) > 12


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_section_says_which_panel_it_needs(path: Path) -> None:
    assert not {"Any", ""} & set(panel_types(path.read_text(encoding="utf-8")))


def test_the_state_tells_whether_the_panel_is_in_use(slicer_runtime: Any) -> None:
    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    assert panel.state.in_use and panel.state.current is panel.parameters
    slicer_runtime.leave_module()
    assert not panel.state.in_use and panel.parameters is None
    with pytest.raises(RuntimeError, match="not in use"):
        panel.state.current  # noqa: B018


def test_the_panel_asks_its_logic_whether_models_can_run(slicer_runtime: Any) -> None:
    """A script or a test can replace the answer; nothing guesses from who runs the model."""
    slicer_runtime.torch.hide()
    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    assert panel.run.missing() == panel.finetune.missing() == "Install PyTorch first (see above)."
    panel.logic.torch_ready = lambda: True
    assert panel.run.missing() != "Install PyTorch first (see above)."
    assert panel.finetune.missing() != "Install PyTorch first (see above)."
