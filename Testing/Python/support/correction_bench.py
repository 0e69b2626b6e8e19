"""Small volumes, completers and strokes with known answers, for tests of corrections."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.interaction.session import CorrectionSession
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.interaction.window import View

BALL_CENTRE, BALL_RADIUS = (24, 20, 16), 9.0
"""Index (x, y, z) and radius in voxels of the bright ball of ball_volume."""

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


class ScriptedCompleter:
    """Answers every window with answer(image, mask, include, exclude), the object being where that is True."""

    def __init__(self, answer: Callable[..., NDArray[np.bool_]], size: int = 32):
        self.size, self.answer, self.calls = size, answer, 0
        self.notes: list[str] = []

    def warm_up(self, cancel: CancelToken | None = None) -> None:
        """There is nothing to load."""

    def probability(self, view: View, cancel: CancelToken | None = None) -> NDArray[np.float32]:
        self.calls += 1
        found = self.answer(view.image, view.present, view.include, view.exclude)
        return np.where(found, 0.95, 0.05).astype(np.float32)


def everything(size: int = 32) -> ScriptedCompleter:
    """A completer that finds the object everywhere."""
    return ScriptedCompleter(lambda image, *_: np.ones(image.shape, dtype=bool), size)


def nothing(size: int = 32) -> ScriptedCompleter:
    """A completer that finds no object."""
    return ScriptedCompleter(lambda image, *_: np.zeros(image.shape, dtype=bool), size)


def bright(size: int = 32) -> ScriptedCompleter:
    """A completer that finds the object wherever the image is above 50."""
    return ScriptedCompleter(lambda image, *_: image > 50, size)


def ball_mask(shape: tuple[int, int, int] = (32, 40, 48), radius: float = BALL_RADIUS) -> NDArray[np.bool_]:
    x, y, z = BALL_CENTRE
    k, j, i = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return (k - z) ** 2 + (j - y) ** 2 + (i - x) ** 2 <= radius**2


def ball_volume(spacing: tuple[float, float, float] = (1, 1, 1), direction: tuple[float, ...] = ()) -> sitk.Image:
    """A bright ball in little noise."""
    noise = np.random.default_rng(3).normal(0, 2, ball_mask().shape)
    image = sitk.GetImageFromArray((100.0 * ball_mask() + noise).astype(np.float32))
    image.SetSpacing(spacing)
    image.SetOrigin((-12.0, 7.5, 31.0))
    if direction:
        image.SetDirection(direction)
    return image


def point(session: CorrectionSession, index: tuple[int, int, int] = BALL_CENTRE, include: bool = True) -> Stroke:
    """One voxel."""
    return Stroke.ball(include, index, 0.0, session.grid)
