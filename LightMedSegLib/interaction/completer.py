"""A promptable model on a device."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.devices import select_device
from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.loaded_networks import LoadedNetworks
from LightMedSegLib.interaction.window import SIZE
from LightMedSegLib.model.store import resolve_model

if TYPE_CHECKING:
    from LightMedSegLib.model.package import Model

DEFAULT_MODEL = "interactive"


class Completer:
    """The probability of the object that prompts mark in a window; the network is loaded when it is first used.

    model: a promptable model, its name, folder or zip. device: "auto", "cpu", "cuda", "cuda:1" or "mps". notes: what
    the person should know, such as that CUDA ran out of memory. Calls from several threads take turns.
    """

    size = SIZE
    # Chosen on validation cases, see Documentation/interaction.md.
    edge_shares = (0.5, 0.8)
    sees_edges = True

    def __init__(self, model: str | Path | Model = DEFAULT_MODEL, device: str = "auto"):
        self.notes: list[str] = []
        self._named, self._device = model, device
        self._model: Model | None = None
        self._networks: LoadedNetworks | None = None
        self._turn = threading.Lock()

    def warm_up(self, cancel: CancelToken | None = None) -> None:
        """Load the network and let it see one window, so that the first stroke need not wait for that.

        Raises ModelPackageError for a model that does not exist or takes no prompts, DeviceError for an impossible
        device, CancelledError once cancel is set.
        """
        empty = np.zeros((SIZE, SIZE, SIZE), dtype=np.float32)
        self.probability(empty, empty, empty, empty, empty, cancel)

    def probability(
        self,
        image: NDArray[np.float32],
        mask: NDArray[np.float32],
        include: NDArray[np.float32],
        exclude: NDArray[np.float32],
        walk: NDArray[np.float32],
        cancel: CancelToken | None = None,
    ) -> NDArray[np.float32]:
        """Return the probability (z, y, x) that a voxel of the window belongs to the object; errors as warm_up.

        image: in any unit. mask: the present segment, 0 to 1. include, exclude: strokes, the newest with 1. walk: what
        edges alone say, see edges.py. All are (z, y, x) on the window's grid.
        """
        cancel = cancel or CancelToken()
        with self._turn:
            cancel.raise_if_cancelled()
            networks = self._loaded()
            return networks.on_first_that_works(
                select_device(self._device).name,
                lambda device: self._on(device, networks, (image, mask, include, exclude, walk), cancel),
                self._note,
                "close other programs",
            )

    @property
    def model(self) -> Model:
        """The model; raises ModelPackageError if there is none of that name, or if it takes no prompts."""
        if self._model is None:
            named = self._named
            model = resolve_model(named) if isinstance(named, (str, Path)) else named
            if not model.card.promptable or model.card.input.patch != (SIZE, SIZE, SIZE):
                raise ModelPackageError(
                    f"{model.card.identifier} takes no prompts; choose a promptable model such as {DEFAULT_MODEL}."
                )
            self._model = model
        return self._model

    def _loaded(self) -> LoadedNetworks:
        if self._networks is None:
            self._networks = LoadedNetworks(self.model)
        return self._networks

    def _on(
        self, device: str, networks: LoadedNetworks, channels: tuple[NDArray[np.float32], ...], cancel: CancelToken
    ) -> NDArray[np.float32]:
        import torch

        from LightMedSegLib.inference.sliding_window.predictor import Predictor
        from LightMedSegLib.interaction.encoding import encode

        predictor = Predictor(networks.on(device), device, cancel=cancel)
        with torch.inference_mode():
            image, mask, include, exclude, walk = (torch.from_numpy(one)[None, None].to(device) for one in channels)
            logits = predictor(encode(image, mask, include, exclude, walk))
            return (logits[0, 1] - logits[0, 0]).sigmoid().cpu().numpy()

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
