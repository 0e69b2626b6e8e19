"""Ways to spoil the card and the weights of a model package, as an accident or a stranger might."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CARD, WEIGHTS, REFERENCE = "model.json", "weights.safetensors", "reference.safetensors"

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**12, 10**40, -(10**40), 0.0, -0.5, 1e-300, 1e300, "", " ", "x" * 5000,
    "../../evil", "/etc/passwd", "C:\\evil", "a/b", "..", ".", "con", "name@1.0.0", "%s%n", "${HOME}", "\u202egnp",
    "\x00", "\n", "1.0.0", "shipped-model", [], {}, [[]], [None], {"": ""}, [1] * 300, ["x"] * 300, "2026-02-31",
)  # fmt: skip

ARGUMENTS: tuple[Any, ...] = (
    *range(-1, 18), 64, 512, 1000, 1024, 0.5, True, False, [8, 16], [8] * 16, [1024] * 16, [1024, 1024], [0, 0], [8],
)  # fmt: skip

PLANTED = "PLANTED_BY_A_PICKLE"
"""A file that unpickling one of the packages would make in the present folder."""


class Payload:
    """Code that runs when this is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (PLANTED, "w")


def spoil_card(folder: Path, rng: random.Random) -> str:
    """Change something in the card; returns what."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    mutation = rng.choice(_CARD_MUTATIONS)
    text = mutation(card, rng)
    if text is None:
        text = json.dumps(card, ensure_ascii=rng.random() < 0.5)
    (folder / CARD).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return f"card {mutation.__name__.strip('_')}"


def _replace(card: Any, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        parent, key = rng.choice(list(_places(card)))
        parent[key] = copy.deepcopy(rng.choice(NASTY))


def _nudge_a_number(card: Any, rng: random.Random) -> None:
    numbers = [(parent, key) for parent, key in _places(card) if type(parent[key]) in (int, float)]
    for parent, key in rng.sample(numbers, min(len(numbers), rng.randint(1, 3))):
        parent[key] = type(parent[key])(
            rng.choice((parent[key] * 2, parent[key] + 1, -parent[key], parent[key] * 1000))
        )


def _delete(card: Any, rng: random.Random) -> None:
    parent, key = rng.choice(list(_places(card)))
    del parent[key]


def _add(card: Any, rng: random.Random) -> None:
    tables = [card, *(parent[key] for parent, key in _places(card) if isinstance(parent[key], dict))]
    rng.choice(tables)[rng.choice(("__class__", "extra", "", "eval", "x" * 300, "\u0000"))] = rng.choice(NASTY)


def _swap(card: Any, rng: random.Random) -> None:
    (one, first), (other, second) = rng.sample(list(_places(card)), 2)
    one[first], other[second] = copy.deepcopy(other[second]), copy.deepcopy(one[first])


def _network_arguments(card: Any, rng: random.Random) -> None:
    names = (
        "encoder_channels", "decoder_channels", "stem_channels", "head_refinement", "router_channels", "router_hidden",
        "anchors", "anchor_channels", "squeeze_ratio", "groups", "film", "ghost", "skip_router", "deep_supervision",
    )  # fmt: skip
    card["network"]["arguments"] = {
        name: copy.deepcopy(rng.choice(ARGUMENTS)) for name in rng.sample(names, rng.randint(1, 3))
    }
    if rng.random() < 0.3:
        width = 8 * rng.choice((1, 16, 128))
        stages = rng.randint(2, 16)
        card["network"]["arguments"].update(encoder_channels=[width] * stages, decoder_channels=[width] * (stages - 1))
    card["network"]["name"] = rng.choice(("lightmedseg", "lightmedseg-tiny", "lightmedseg-large", "lightmedseg-p"))


def _another_grid(card: Any, rng: random.Random) -> None:
    settings = card["input"]
    settings["spacing_mm"] = [rng.choice((0.01, 0.1, 1, 50, 100, 1e-9)) for _ in range(3)]
    settings["patch"] = [rng.choice((1, 7, 32, 512, 1024, 10**6)) for _ in range(3)]
    settings["overlap"] = rng.choice((0, 0.5, 0.9, 0.99, 1))
    settings["view"] = rng.choice(("windows", "whole", "other"))


def _identity(card: Any, rng: random.Random) -> None:
    card["name"] = rng.choice(
        ("shipped-model", "Shipped-Model", "shipped-model ", "../shipped-model", ".", "a@b", "нет")
    )
    card["version"] = rng.choice(
        ("1.0.0", "01.0.0", "1.0.0/..", "1.0.0-rc.1", "1.0.0+x", "v1", "1.0", "9" * 400 + ".0.0")
    )


def _text(card: Any, rng: random.Random) -> bytes:
    text = json.dumps(card)
    literal = rng.choice(
        ("NaN", "-Infinity", "1e999", "0x10", "[" * 100000, "{" * 5000 + "}" * 5000, "9" * 5000, "tru")
    )
    return rng.choice((
        text[: rng.randrange(len(text))].encode(),
        text.replace('"1.0.0"', literal, 1).encode(),
        text.replace("{", '{"name": "again", ', 1).encode(),
        text.encode("utf-16"), b"\xef\xbb\xbf" + text.encode(), b"\xff\xfe" + text.encode(), text.encode() * 2,
        text.replace('"MR"', '"\\ud800"').encode(), b"", b"[]", b"null", (" " * 2_000_000 + text).encode(),
    ))  # fmt: skip


def _bytes(card: Any, rng: random.Random) -> bytes:
    return flipped(json.dumps(card).encode(), rng)


_CARD_MUTATIONS: tuple[Callable[[Any, random.Random], Any], ...] = (
    _replace, _replace, _nudge_a_number, _delete, _add, _swap, _network_arguments, _another_grid, _identity, _text,
    _bytes,
)  # fmt: skip


def spoil_tensors(folder: Path, name: str, rng: random.Random) -> str:
    """Change something in the file called name; mostly the card is made to agree with the new bytes."""
    content = (folder / name).read_bytes()
    mutation = rng.choice((_header, _header, _header, _layout, _foreign, _data))
    new = mutation(content, rng)
    (folder / name).write_bytes(new)
    if rng.random() < 0.9:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        item = card["weights" if name == WEIGHTS else "reference"]
        item.update(sha256=hashlib.sha256(new).hexdigest(), bytes=len(new))
        (folder / CARD).write_text(json.dumps(card), encoding="utf-8")
    return f"{name} {mutation.__name__.strip('_')}"


def _header(content: bytes, rng: random.Random) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    names = list(header)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(names)
        entry = header.get(name)
        kind = rng.randrange(8)
        if not isinstance(entry, dict) or kind == 0:
            header[name] = copy.deepcopy(rng.choice(NASTY))
        elif kind == 1:
            entry["shape"] = rng.choice(
                ([10**12], [10**6, 10**6], [2**62, 2**62], [-1], [0], [0, 2**61], [1] * 100, [1.5], [True], [], None)
            )
        elif kind == 2:
            entry["data_offsets"] = rng.choice(([0, 0], [0, 2**63], [-8, 8], [8, 0], [10**12, 10**12 + 8], [0], None))
        elif kind == 3:
            entry["dtype"] = rng.choice(("F64", "F16", "I64", "U8", "BF16", "O", "object", "V999999999", "", None, 4))
        elif kind == 4:
            other = rng.choice(names)
            header[name], header[other] = header[other], header[name]
        elif kind == 5:
            header[rng.choice(("", "__metadata__", "x" * 70000, "../../evil", "a.b"))] = header.pop(name)
            names = list(header)
        elif kind == 6:
            entry["shape"] = [10**12]
            entry["data_offsets"] = [0, 4 * 10**12]
        else:
            entry[rng.choice(("shape", "dtype", "data_offsets", "more"))] = copy.deepcopy(rng.choice(NASTY))
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def _layout(content: bytes, rng: random.Random) -> bytes:
    length = rng.choice((0, 1, 7, 2**20, 2**31, 2**40, 2**63, 2**64 - 1))
    return rng.choice((
        content[: rng.randrange(len(content))], content + bytes(rng.randint(1, 5000)), content[8:], b"", b"{",
        struct.pack("<Q", length) + content[8:], content[:8] + b" " + content[8:], content * 2,
    ))  # fmt: skip


def _foreign(content: bytes, rng: random.Random) -> bytes:
    """Something else under this name: pickles that would run code, alone and as torch.save packs them."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as inner:
        inner.writestr("archive/data.pkl", pickle.dumps(Payload()))
    return rng.choice((
        pickle.dumps(Payload()), pickle.dumps(Payload(), 0), archive.getvalue(), b"\x7fELF" + bytes(500),
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n" + pickle.dumps(Payload()),
    ))  # fmt: skip


def _data(content: bytes, rng: random.Random) -> bytes:
    return flipped(content, rng)


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, or a piece of it moved, repeated or removed."""
    changed = bytearray(content)
    if rng.random() < 0.7:
        for _ in range(rng.choice((1, 1, 2, 8, 64))):
            changed[rng.randrange(len(changed))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        return bytes(changed)
    start = rng.randrange(len(changed))
    piece = bytes(changed[start : start + rng.randint(1, 64)])
    where = rng.randrange(len(changed))
    changed[where : where + rng.choice((0, len(piece)))] = piece if rng.random() < 0.7 else b""
    return bytes(changed)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
