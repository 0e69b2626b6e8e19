"""Random scans whose headers say one thing at one place and another at the next."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from stated_files import LPS_FROM_RAS, nifti_file, nrrd_file, turn, vector_text, voxels
from stated_slices import CLASSES, DETECTOR, PER_FRAME, SHARED, TOP, make_slice, stored_values, write_series
from volumes_on_disk import metaimage

_SLICES = 5


@dataclass(frozen=True)
class Contradiction:
    """A scan. matrix: where it lies by the rule of its format, (3, 4), LPS; None where only refusal is right.

    contradicts: a note is due. what: in which it is odd.
    """

    path: Path
    matrix: np.ndarray | None
    voxels: np.ndarray
    contradicts: bool
    what: str


def nifti(folder: Path, rng: random.Random) -> Contradiction:
    """sform, qform, pixdim, codes and unit at random, in any byte order, compressed or not, maybe with a neighbour."""
    sform, qform = _matrix(rng), _matrix(rng)
    agree = rng.random() < 0.2
    qform = sform if agree else qform
    edges = np.linalg.norm((sform if rng.random() < 0.5 else qform)[:, :3], axis=0)
    pixdim = edges * (rng.choice((1, -1)), rng.choice((1, 1, -1)), 1)
    codes = (rng.choice((0, 1, 2, 4)), rng.choice((0, 1, 2, 3, 4, 5)))
    unit, factor = rng.choice(((2, 1.0), (2, 1.0), (0, 1.0), (1, 1000.0), (3, 0.001)))
    sheared = rng.random() < 0.15
    if sheared:
        sform = sform.copy()
        sform[:, 1] += rng.choice((-0.4, 0.1, 0.3)) * sform[:, 0]
    path = folder / rng.choice(("scan.nii", "scan.nii.gz"))
    nifti_file(
        path,
        sform=sform / factor,
        qform=qform / factor,
        codes=codes,
        pixdim=tuple(pixdim / factor),
        unit=unit,
        order=rng.choice("<>"),
    )
    if path.suffix == ".gz" and rng.random() < 0.3:
        other = nifti_file(folder / "scan.nii", codes=(0, 0))
        other.write_bytes(other.read_bytes()[:352] + bytes(voxels().nbytes))
    what = f"codes {codes}, pixdim {pixdim.round(2)}, unit {unit}"
    if codes[1]:
        lengths = np.linalg.norm(sform[:, :3], axis=0)
        contradicts = factor != 1.0 or not np.allclose(pixdim, lengths, rtol=0.01) or (bool(codes[0]) and not agree)
        return Contradiction(path, None if sheared else LPS_FROM_RAS @ sform, voxels(), contradicts, what)
    if pixdim.min() < 0:
        return Contradiction(path, None, voxels(), True, what)
    if codes[0]:
        place = np.column_stack([qform[:, :3] / np.linalg.norm(qform[:, :3], axis=0) * pixdim, qform[:, 3]])
        return Contradiction(path, LPS_FROM_RAS @ place, voxels(), factor != 1.0, what)
    return Contradiction(path, np.column_stack([np.diag(pixdim), np.zeros(3)]), voxels(), True, what)


def nrrd(folder: Path, rng: random.Random) -> Contradiction:
    """Spaces, units and missing spaces."""
    place = _matrix(rng)
    space, signs = rng.choice(
        (("left-posterior-superior", (1, 1, 1)), ("RAS", (-1, -1, 1)), ("left-anterior-superior", (1, -1, 1)),
         ("LAS", (1, -1, 1)), ("scanner-xyz", None), ("", None))
    )  # fmt: skip
    unit, factor = rng.choice((("", 1.0), ("mm", 1.0), ("m", 1000.0), ("cm", 10.0), ("um", 0.001), ("furlong", None)))
    stated = np.diag(signs or (1, 1, 1)) @ place / (factor or 1.0)
    sheared = rng.random() < 0.1
    if sheared:
        stated[:, 2] += 0.2 * stated[:, 0]
    fields = {"space": space} if space else {"space_dimension": "3"}
    if unit:
        fields["space_units"] = " ".join([f'"{unit}"'] * 3)
    fields["space_directions"] = " ".join(f"({vector_text(column)})" for column in stated[:, :3].T)
    path = nrrd_file(folder / "scan.nrrd", **fields, space_origin=f"({vector_text(stated[:, 3])})")
    refused = sheared or factor is None
    contradicts = signs is None or factor != 1.0
    return Contradiction(path, None if refused else place, voxels(), contradicts, f"space {space}, unit {unit}")


def meta(folder: Path, rng: random.Random) -> Contradiction:
    """Units, orientations in letters, and two names of one field."""
    place = _matrix(rng)
    unit, factor = rng.choice((("", 1.0), ("mm", 1.0), ("cm", 10.0), ("um", 0.001)))
    edges = np.linalg.norm(place[:, :3], axis=0)
    numbers = {
        "TransformMatrix": (place[:, :3] / edges).T.ravel(),
        "ElementSpacing": edges / factor,
        "Offset": place[:, 3] / factor,
    }
    fields = {key: vector_text(value).replace(",", " ") for key, value in numbers.items()}
    fields |= {"DistanceUnits": unit} if unit else {}
    refused = rng.random() < 0.2
    if refused:
        field = rng.choice(("Position", "Origin", "CenterOfRotation"))
        fields[field] = "7 8 9"
        # Nothing turns about the centre then.
        refused = field != "CenterOfRotation" or not np.allclose(place[:, :3] / edges, np.eye(3))
    contradicts = factor != 1.0
    if rng.random() < 0.4:
        cosines = np.diag(place[:, :3] / edges)
        if np.abs(cosines).min() > 0.6:
            # The letter of the side where an axis begins, but left for right.
            sides = zip(cosines * (-1, 1, 1), ("LR", "PA", "SI"), strict=True)
            fields["AnatomicalOrientation"] = "".join(pair[int(along > 0)] for along, pair in sides)
            contradicts = True
    path = metaimage(folder / "scan.mha", **fields)
    content = np.arange(512, dtype=np.int16).reshape(8, 8, 8)
    return Contradiction(path, None if refused else place, content, contradicts, str(fields))


def dicom(folder: Path, rng: random.Random) -> Contradiction:
    """Any class of objects, any place of the tags, any order, wrong distances, inverted display."""
    axes, origin = turn(_angles(rng)), np.array([rng.uniform(-300, 300) for _ in range(3)])
    spacing = np.array([rng.uniform(0.8, 4), rng.uniform(0.8, 4), rng.uniform(0.8, 8)])
    signed, bits, slope = rng.random() < 0.5, rng.choice((12, 16)), rng.choice((1.0, 2.0, 0.5))
    intercept, wrong = rng.choice((0.0, -1024.0, 7.5)), rng.choice((None, 1.0, -1.0, 0.0, 2.5, -0.3))
    photometric, modality = rng.choice(("MONOCHROME1", "MONOCHROME2")), rng.choice(("CT", "MR", "PT", "NM"))
    kind, where = rng.choice(sorted(CLASSES)), rng.choice((TOP, SHARED, PER_FRAME, DETECTOR))
    slices = [
        make_slice(
            number, origin + axes[:, 2] * spacing[2] * number, axes, (spacing[0], spacing[1]), kind=kind, where=where,
            signed=signed, bits=bits, Modality=modality, PhotometricInterpretation=photometric, RescaleSlope=slope,
            RescaleIntercept=intercept, SpacingBetweenSlices=None if wrong is None else f"{wrong * spacing[2]:.6g}",
        )
        for number in range(_SLICES)
    ]  # fmt: skip
    write_series(folder / "series", slices, rng.sample(range(_SLICES), _SLICES))
    values = np.stack([stored_values(number, signed, bits) * slope + intercept for number in range(_SLICES)])
    inverted = photometric == "MONOCHROME1" and modality not in ("CT", "PT")
    contradicts = inverted or (wrong is not None and abs(wrong) != 1.0)
    what = f"{kind}, {where}, {photometric}, distance times {wrong}"
    return Contradiction(folder / "series", np.column_stack([axes * spacing, origin]), values, contradicts, what)


def _angles(rng: random.Random) -> tuple[float, ...]:
    """Any turn, often a small one and often one to another of the axes."""
    return tuple(rng.choice((0.0, np.pi / 2, np.pi, rng.uniform(-0.3, 0.3), rng.uniform(-3, 3))) for _ in range(3))


def _matrix(rng: random.Random) -> np.ndarray:
    flips = [rng.choice((1.0, -1.0)) for _ in range(3)]
    edges = [rng.uniform(0.8, 5.0) for _ in range(3)]
    axes = turn(_angles(rng)) * flips * edges
    return np.column_stack([axes, [rng.uniform(-300, 300) for _ in range(3)]])


KINDS: tuple[tuple[str, Callable[[Path, random.Random], Contradiction]], ...] = (
    ("NIfTI", nifti),
    ("NRRD", nrrd),
    ("MetaImage", meta),
    ("DICOM", dicom),
)
