"""Our safetensors reader and writer against the safetensors package, and against hostile files."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.storage.safetensors_file import MAX_HEADER_BYTES, parse_tensors, read_tensors, write_tensors

DTYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "uint8"]
SMALL = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def example_tensors() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    tensors = {name: (random.random((2, 3, 1)) * 100).astype(name) for name in DTYPES}
    return tensors | {
        "steps": np.array(7, dtype=np.int64),
        "empty": np.zeros((0, 3), dtype=np.float32),
        "größe.weight": np.asfortranarray(random.random((4, 5)).astype(np.float32)),
        "strided": np.arange(12, dtype=np.int16)[::-2],
    }


def encode(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


def test_what_we_write_safetensors_reads(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", example_tensors())
    assert_same(safetensors.numpy.load_file(tmp_path / "a.safetensors"), example_tensors())


def test_what_safetensors_writes_we_read(tmp_path: Path) -> None:
    plain = {name: np.ascontiguousarray(array) for name, array in example_tensors().items()}
    plain["steps"] = plain["steps"].reshape(())
    safetensors.numpy.save_file(plain, tmp_path / "a.safetensors", metadata={"format": "pt"})
    assert_same(read_tensors(tmp_path / "a.safetensors"), example_tensors())


def test_the_arrays_we_read_can_be_written_to_and_own_their_data(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", example_tensors())
    for array in read_tensors(tmp_path / "a.safetensors").values():
        assert array.flags.writeable
        assert array.flags.c_contiguous


def test_equal_tensors_give_equal_files_in_any_order(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", example_tensors())
    write_tensors(tmp_path / "b", dict(reversed(example_tensors().items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_big_endian_arrays_are_stored_by_value(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"x": np.array([1, 2, 3], dtype=">i4")})
    np.testing.assert_array_equal(read_tensors(tmp_path / "a")["x"], [1, 2, 3])


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("x", np.zeros(1, dtype=complex)),
        ("x", np.array([None])),
        ("x", np.array(["text"])),
        ("x", np.zeros(1, dtype=bool)),
        ("", np.zeros(1)),
        ("__metadata__", np.zeros(1)),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path: Path, name: str, array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="tensor"):
        write_tensors(tmp_path / "a", {name: array})
    assert not (tmp_path / "a").exists()


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "only 0 bytes"),
    "half a length": (b"\x01\x02\x03", "only 3 bytes"),
    "header of 2^60 bytes": (encode({}, length=2**60), "header of 1152921504606846976 bytes"),
    "header of 2^64-1 bytes": (encode({}, length=2**64 - 1), "header of 18446744073709551615 bytes"),
    "header above the limit": (encode({}, length=MAX_HEADER_BYTES + 1), "announces a header"),
    "header beyond the end": (encode({}, length=100), "ends inside its header"),
    "no JSON": (encode(b"{]"), "not valid JSON"),
    "a list": (encode([]), "does not begin with"),
    "blanks before the header": (encode(b"  {}"), "does not begin with"),
    "not UTF-8": (encode(b'{"\xff\xfe": 1}'), "not UTF-8"),
    "lone surrogate": (encode(b'{"\\ud800": {}}'), "not valid Unicode"),
    "nested deeply": (encode(b'{"a":' + b"[" * 100_000), "nested too deeply"),
    "same name twice": (
        encode(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{}}', bytes(8)),
        "'a' occurs twice",
    ),
    "same key twice in a tensor": (encode(b'{"a":{"dtype":"F32","dtype":"F32"}}'), "'dtype' occurs twice"),
    "pickled dtype": (encode({"a": {**SMALL, "dtype": "pickle"}}, bytes(8)), "unsupported dtype 'pickle'"),
    "dtype is a number": (encode({"a": {**SMALL, "dtype": 5}}, bytes(8)), "unsupported dtype"),
    "bfloat16": (encode({"a": {**SMALL, "dtype": "BF16"}}, bytes(8)), "unsupported dtype 'BF16'"),
    "tensor is a number": (encode({"a": 1}), "lacks dtype"),
    "offsets missing": (encode({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)), "lacks dtype"),
    "additional key": (encode({"a": {**SMALL, "code": "x"}}, bytes(8)), "or has more"),
    "10^12 elements": (encode({"a": {**SMALL, "shape": [10**12]}}, bytes(8)), "shape that does not match"),
    "product overflows": (encode({"a": {**SMALL, "shape": [2**61, 2**3 + 1]}}, bytes(8)), "impossible shape"),
    "product wraps to the right size": (
        encode({"a": {"dtype": "U8", "shape": [2**32, 2**32], "data_offsets": [0, 0]}}),
        "impossible shape",
    ),
    "huge dimensions with a zero": (
        encode({"a": {"dtype": "U8", "shape": [0, 2**61, 2**61], "data_offsets": [0, 0]}}),
        "impossible shape",
    ),
    "negative dimension": (encode({"a": {**SMALL, "shape": [-1, -2]}}, bytes(8)), "impossible shape"),
    "fractional dimension": (encode({"a": {**SMALL, "shape": [2.0]}}, bytes(8)), "impossible shape"),
    "boolean dimension": (encode({"a": {**SMALL, "shape": [True, 2]}}, bytes(8)), "impossible shape"),
    "100 dimensions": (encode({"a": {**SMALL, "shape": [2] + [1] * 99}}, bytes(8)), "impossible shape"),
    "shape is a number": (encode({"a": {**SMALL, "shape": 2}}, bytes(8)), "impossible shape"),
    "negative offset": (encode({"a": {**SMALL, "data_offsets": [-8, 0]}}, bytes(8)), "impossible data_offsets"),
    "offsets reversed": (encode({"a": {**SMALL, "data_offsets": [8, 0]}}, bytes(8)), "impossible data_offsets"),
    "three offsets": (encode({"a": {**SMALL, "data_offsets": [0, 4, 8]}}, bytes(8)), "impossible data_offsets"),
    "offsets beyond the end": (encode({"a": SMALL}, bytes(4)), "holds 4 bytes of data"),
    "trailing bytes": (encode({"a": SMALL}, bytes(9)), "holds 9 bytes of data"),
    "data without tensors": (encode({}, bytes(9)), "holds 9 bytes of data"),
    "overlap": (encode({"a": SMALL, "b": {**SMALL, "data_offsets": [4, 12]}}, bytes(12)), "overlaps"),
    "same data twice": (encode({"a": SMALL, "b": SMALL}, bytes(8)), "overlaps"),
    "gap": (encode({"a": SMALL, "b": {**SMALL, "data_offsets": [9, 17]}}, bytes(17)), "leaves a gap"),
    "metadata is no table of texts": (encode({"__metadata__": {"a": 1}}), "__metadata__"),
    "NaN in the header": (encode(b'{"a": NaN}'), "NaN is not a number"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_with_its_name_and_the_reason(tmp_path: Path, kind: str) -> None:
    content, words = HOSTILE[kind]
    (tmp_path / "evil.safetensors").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ModelPackageError) as caught:
            read_tensors(tmp_path / "evil.safetensors")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith("evil.safetensors is not a sound safetensors file: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert peak < 20_000_000, "a small file must not make us take much memory"


# Kinds that the format forbids or leaves open, but which some version of the safetensors package lets pass.
LENIENT = {
    *("same name twice", "same key twice in a tensor", "additional key", "100 dimensions", "blanks before the header"),
    *("huge dimensions with a zero", "lone surrogate", "NaN in the header", "bfloat16"),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE.keys() - LENIENT))
def test_the_witness_refuses_it_too(kind: str) -> None:
    with pytest.raises(safetensors.SafetensorError):
        safetensors.numpy.load(HOSTILE[kind][0])


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ModelPackageError, match=r"^gone\.safetensors cannot be read: "):
        read_tensors("/nowhere/gone.safetensors")


def test_every_truncation_of_a_file_is_refused(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"x": np.arange(5, dtype=np.float32), "y": np.zeros((2, 2), dtype=np.int64)})
    content = (tmp_path / "a").read_bytes()
    for length in range(len(content)):
        with pytest.raises(ModelPackageError):
            parse_tensors(content[:length], "a")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_damaged_bytes_either_read_as_arrays_or_are_refused(position: int, damage: bytes) -> None:
    header = json.dumps({"a": SMALL, "b": {"dtype": "U8", "shape": [3, 1], "data_offsets": [8, 11]}}).encode()
    content = bytearray(encode(header, bytes(11)))
    start = position % len(content)
    content[start : start + len(damage)] = damage
    try:
        tensors = parse_tensors(bytes(content), "a")
    except ModelPackageError:
        return
    assert sum(array.nbytes for array in tensors.values()) < len(content)
