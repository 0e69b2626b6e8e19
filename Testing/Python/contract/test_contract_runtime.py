"""The runtime's stand-ins against the contract, and the lines that it must refuse."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paths import REPOSITORY
from Runtime.contract.make_contract import trimmed, write
from Runtime.contract.reader import behaviours, built, class_contract, class_names
from Runtime.contract.source_check import normalized

CONTRACT = REPOSITORY / "Testing" / "Runtime" / "contract" / "contract.json.gz"


def _stand_ins(kind: type | None = None) -> Iterator[type]:
    from Runtime.widgets.emulated import Emulated

    for derived in (kind or Emulated).__subclasses__():
        yield derived
        yield from _stand_ins(derived)


def _own_parts(kind: type) -> list[dict[str, Any]]:
    """What the class and those that only help it declare; other stand-ins among its bases answer for themselves."""
    name = getattr(kind, "pythonqt_name", "")
    parts = [dict(vars(base)) for base in kind.__mro__ if base.__module__.startswith("Runtime")]
    return [part for part in parts if part.get("pythonqt_name", name) == name]


def test_a_stand_in_declares_no_signal_slot_or_class_that_the_contract_lacks(slicer_runtime: Any) -> None:
    problems, seen = [], 0
    for kind in _stand_ins():
        contract = class_contract(getattr(kind, "pythonqt_name", ""))
        if contract is None:
            problems.append(f"{kind.__name__}: no such class")
            continue
        for part in _own_parts(kind):
            signals = part.get("emulated_signals", ())
            slots = [slot for value in part.values() for slot in getattr(value, "invokable", ()) if slot]
            known = {normalized(signal) for signal in contract.signals}
            problems += [f"{contract.name}: {signal}" for signal in signals if normalized(signal) not in known]
            problems += [f"{contract.name}: {slot}" for slot in slots if slot not in contract.slots]
            names = [name for name, value in part.items() if getattr(value, "invokable", None)]
            problems += [f"{contract.name}: {name}" for name in names if contract.kind_of(name) is None]
            seen += len(signals) + len(names)
    assert problems == [] and seen > 100


def test_the_module_does_not_open_with_an_attribute_that_pythonqt_refuses(
    slicer_runtime: Any,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "LightMedSeg"
    shutil.copytree(REPOSITORY / "LightMedSeg", folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "LightMedSeg.py"
    right = path.read_text(encoding="utf-8")
    path.write_text(right.replace("Timer.setSingleShot(True)", "Timer.singleShot = True"), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != right
    slicer_runtime.load_module(path)
    with pytest.raises(AttributeError, match="Slot 'singleShot' can not be overwritten on QTimer object"):
        slicer_runtime.open_module("LightMedSeg")


def test_the_node_watch_cannot_be_made_with_an_attribute_that_pythonqt_refuses(slicer_runtime: Any) -> None:
    right = (REPOSITORY / "LightMedSegLib" / "gui" / "widgets" / "node_watch.py").read_text(encoding="utf-8")
    wrong = right.replace("setSingleShot(True)", "singleShot = True")
    assert wrong != right
    for source, refused in ((right, False), (wrong, True)):
        names: dict[str, Any] = {"__name__": "node_watch"}
        exec(compile(source, "node_watch.py", "exec"), names)
        try:
            names["NodeWatch"](print)
        except AttributeError as error:
            assert refused and "Slot 'singleShot' can not be overwritten" in str(error)
        else:
            assert not refused


def test_the_contract_says_what_it_was_seen_in_and_why_names_were_added() -> None:
    import gzip
    import json

    assert set(built()) == {"Slicer", "PythonQt", "CTK"} and "Qt 5.15" in built()["Slicer"]
    assert len(class_names()) > 300 and len(behaviours()) > 250
    exceptions = json.loads(gzip.decompress(CONTRACT.read_bytes()))["exceptions"]
    for entry in (*exceptions["classes"].values(), *exceptions["members"].values()):
        assert len(entry["reason"].split()) > 5
    assert CONTRACT.stat().st_size < 120_000


def test_the_contract_is_made_the_same_every_time(tmp_path: Path) -> None:
    plain = {"get": "int", "value": "7", "type": "int", "writable": True}
    hidden = {"get": "function", "get_is_callable": True, "value": "", "type": "bool", "writable": True}
    base = {
        "metaChain": ["QObject"], "meta_slots": ["deleteLater()", "hidden() [access 0]"], "meta_invokable": [],
        "signals": ["destroyed()"], "int_attributes": {}, "properties": {"objectName": plain},
        "methods": {"deleteLater": ["builtin_qt_slot", ""], "destroyed": ["QtCore.Signal", ""]},
    }  # fmt: skip
    derived = {
        **base,
        "metaChain": ["ctkOwn", "QObject"],
        "properties": {"objectName": plain, "shot": hidden, "n": plain},
    }
    full = {
        "built": {}, "behaviours": {"a": {"code": "1", "stderr": "x"}},
        "modules": {"qt": [], "ctk": [], "slicer_q": []},
        "classes": {"QObject": base, "ctkOwn": derived},
        "class_attrs": {"QObject": [], "QLonely": ["here", "destroyed"], "QSslKey": ["gone"]},
    }  # fmt: skip
    content = trimmed(full, {"classes": {}, "members": {}}, {"QObject", "ctkOwn", "QLonely"})
    assert set(content["classes"]) == {"QObject", "ctkOwn", "QLonely"}
    assert content["classes"]["ctkOwn"]["properties"] == {"shot": ["bool", "rwc"], "n": ["int", "rw", 7]}
    assert "methods" not in content["classes"]["ctkOwn"]
    assert content["classes"]["QObject"]["slots"] == ["deleteLater()"]
    assert content["behaviours"] == {"a": {"code": "1"}}
    for name in ("first", "second"):
        write(content, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
