"""Each call that was tried in a real Slicer gives the same here: value, kind of exception, what was logged.

Where the test runtime is stricter, or does not emulate something, it says so in `DIFFERENT`.
"""

from __future__ import annotations

import ast
import functools
import gc
import pathlib
import re
import sys
import time
import weakref
from typing import Any

import numpy as np
import pytest
from paths import REPOSITORY
from Runtime.contract.reader import behaviours, class_contract
from Runtime.rules import StricterRuleError

# The runtime's own rules: what Slicer lets pass, and is nearly always a mistake.
OWN_RULE = {
    "call_enum_wrong_for_slot", "call_layout_addWidget_none", "call_setText_bytes", "call_setText_none",
    "prop_ctkpath_none", "prop_nodeTypes_str", "prop_spin_value_big", "prop_styleSheet_none", "prop_text_bytes",
    "prop_text_list", "prop_text_none",
}  # fmt: skip
# Name: why the result is another one here, or is not compared.
_LOOKS = "how an object is printed is not emulated"
_QT_6 = "Qt 6 behaves otherwise than Qt 5.15"
DIFFERENT: dict[str, str] = {
    "call_addItem_userData_each": _LOOKS,
    "call_layoutManager_names": "the layout of the Slicer that was asked",
    "call_layout_margins": "the spacing of the style",
    "call_overrideCursor": "the process ends in Slicer; nobody keeps a cursor",
    "call_qcolor_ctor": "colours have another precision in Qt 6",
    "call_qfiledialog_static_doc": "the text of help is not emulated",
    "call_qicon_from_str": _QT_6,
    "call_qinputdialog_doc": "the text of help is not emulated",
    "call_qmessagebox_static_doc": "the text of help is not emulated",
    "call_qprocess_start_one_string": _QT_6,
    "call_qsettings_values": "settings come back as text at once, as in Slicer after a restart; None is refused",
    "call_qsize_eq": _LOOKS,
    "deleteLater": "deferred deletions are done at the next processing of events",
    "exec_underscore": "exec() is refused: exec_() works in every Slicer",
    "extensionsManagerModel": "the Slicer of the contract was built without it",
    "python_signal_class": "signals declared in Python are not emulated",
    "python_str": _LOOKS,
    "qsignalblocker": "Signal, Slot and Property are not emulated",
    "slot_systemexit_skipped": "not tried in Slicer either",
    "subclass_super_init": "QMetaObject has PySide's names",
    "subclass_timer_event": "how often a timer comes depends on the computer",
}


@functools.cache
def _parsed(code: str) -> ast.Module:
    try:
        return ast.parse(code)
    except SyntaxError:
        # Compound statements that stand behind a semicolon.
        return ast.parse(re.sub(r"; (?=(?:for|def|class|try|while|with|import) ?)", "\n", code))


def _type_name(value: Any) -> str:
    from Runtime.pythonqt.classes import PythonQtObject
    from Runtime.pythonqt.members import BoundMethod
    from Runtime.pythonqt.values import EnumInt

    kind = type(value)
    if isinstance(value, PythonQtObject) and "_qt_class_is_own" in vars(kind):
        return "PythonQt"
    if isinstance(value, PythonQtObject):
        return kind.__name__
    if isinstance(value, (EnumInt, BoundMethod)):
        return "int" if isinstance(value, int) else "builtin_qt_slot"
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def described(value: Any) -> str:
    """The value in the words of the contract, with addresses and the looks of Qt's objects left out."""
    from Runtime.pythonqt.classes import PythonQtObject

    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__}({', '.join(described(item) for item in value)})"
    if isinstance(value, dict):
        return f"dict{{{', '.join(f'{key!r}: {described(item)}' for key, item in value.items())}}}"
    if isinstance(value, PythonQtObject):
        return f"<{type(value).__name__}>"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"int {int(value)}"
    if hasattr(value, "IsA"):
        return f"<{value.GetClassName()}>"
    if callable(value) and not isinstance(value, type):
        return "<slot>"
    return f"{_type_name(value)} {value!r}"


def in_the_same_words(text: str) -> str:
    """A result of the contract, in the words of `described`."""
    text = re.sub(r"PythonQt\.\w+\.(\w+)(?='|$)", lambda m: "PythonQt" if class_contract(m[1]) else "int", text)
    text = re.sub(r"\bL L \(.*\)", "<L>", text)
    text = re.sub(r"PythonQt\.\w+\.\w+ (-?\d+)", r"int \1", text)
    text = re.sub(r"builtin_qt_slot <[^>]*>", "<slot>", text)
    text = re.sub(r"function <function .*? at 0x0>", "<slot>", text)
    text = re.sub(r"slicer_core\.\w+\.(\w+) <[^>]*>", r"<\1>", text)
    return re.sub(r"PythonQt\.\w+(?:\.\w+)? (\w+) ?\((?:[^()]|\([^()]*\))*\) ?", r"<\1>", text)


def tried(code: str) -> tuple[str, str, list[str]]:
    """("result" or "raises", what came of it, the log) of the code, run as it was in the real Slicer."""
    import ctk
    import qt
    import slicer
    import vtk
    from Runtime.pythonqt.classes import PythonQtObject

    log: list[Any] = []
    names = {
        "qt": qt, "ctk": ctk, "slicer": slicer, "vtk": vtk, "np": np, "pathlib": pathlib, "gc": gc, "weakref": weakref,
        "time": time, "sys": sys, "tn": _type_name, "log": log,
    }  # fmt: skip
    body = list(_parsed(code).body)
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    try:
        exec(compile(ast.Module(body, []), "tried", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "tried", "eval"), names) if last is not None else None
        return "result", described(value), [_logged(item) for item in log]
    except Exception as error:
        return "raises", f"{type(error).__name__}: {error}", [_logged(item) for item in log]
    finally:
        # Event filters run while a widget dies, and need the other names then.
        for name in [name for name, value in names.items() if isinstance(value, PythonQtObject)]:
            del names[name]


def _logged(item: Any) -> str:
    return item if isinstance(item, str) else described(item)


@pytest.mark.parametrize("name", sorted(set(behaviours()) - set(DIFFERENT)))
def test_a_call_does_what_it_did_in_slicer(slicer_runtime: Any, name: str, tmp_path: pathlib.Path) -> None:
    import slicer

    found = behaviours()[name]
    if "LightMedSeg" in found["code"]:
        slicer_runtime.load_module(REPOSITORY / "LightMedSeg" / "LightMedSeg.py")
    # In Slicer there was one already.
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    outcome, text, log = tried(found["code"].replace("PATH", str(tmp_path / "settings.ini")))
    # What was only printed in Slicer is not the business of this test. What an error holds may fail when it is let go.
    while slicer_runtime.errors.take():
        pass
    if name in OWN_RULE:
        assert text.startswith(StricterRuleError.__name__) and "own rule" in text
    elif "raises" in found:
        assert (outcome, text.partition(":")[0]) == ("raises", found["raises"].partition(":")[0]), text
    else:
        wanted = in_the_same_words(found["result"])
        assert outcome == "result", text
        if wanted != "str '(statement ran)'":
            # Paths are another computer's.
            assert re.fullmatch(re.escape(wanted).replace("PATH", ".*"), text), f"{text}\nand in Slicer:\n{wanted}"
        assert log == [in_the_same_words(item) for item in found.get("log", [])]


def test_every_difference_is_about_a_call_that_was_tried() -> None:
    assert set(DIFFERENT) | OWN_RULE <= set(behaviours())
