"""The methods of the benchmark by name: ours, and the classical ones without and with the box of the object."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.interaction.completer import Completer
from LightMedSegLib.interaction.session import CorrectionSession
from LightMedSegLib.interaction.strokes import Stroke
from prompted.classical import CLASSICAL, Classical
from prompted.prompt_rounds import Method

OURS = "LightMedSeg"
TOLD = ", told the box"

Start = Callable[[sitk.Image, NDArray[np.bool_]], Method]


class Session:
    """Our session on one structure."""

    def __init__(self, session: CorrectionSession) -> None:
        self._session = session

    def answer(self, stroke: Stroke) -> NDArray[np.bool_]:
        """The mask (z, y, x) of the volume after one more prompt."""
        self._session.add_stroke(stroke)
        return self._session.mask


def methods(completer: Completer) -> dict[str, Start]:
    """How each method starts on an image and a structure, of which only those that are told the box see the truth."""
    starts: dict[str, Start] = {
        OURS: lambda image, truth: Session(CorrectionSession(image, completer, new_object=True))
    }
    for name, solve in CLASSICAL.items():
        starts[name] = lambda image, truth, solve=solve: Classical(image, solve)
        starts[name + TOLD] = lambda image, truth, solve=solve: Classical(image, solve, truth)
    return starts


METHODS = (OURS, *(name + told for told in ("", TOLD) for name in CLASSICAL))
