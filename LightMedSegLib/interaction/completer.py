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
from LightMedSegLib.interaction.window import SIZE, View
from LightMedSegLib.model.store import resolve_model

if TYPE_CHECKING:
    import torch

    from LightMedSegLib.model.package import Model

DEFAULT_MODEL = "interactive"


class Completer:
    """The probability of the object that prompts mark in a window; the network is loaded when it is first used.

    model: a promptable model, its name, folder or zip. device: "auto", "cpu", "cuda", "cuda:1" or "mps"; once it has
    failed, the CPU is used. notes: what the person should know, such as that CUDA ran out of memory. Calls from several
    threads take turns.
    """

    size = SIZE
    # What edges count for a new object after its first prompt and later: chosen on validation cases, see
    # Documentation/interaction.md.
    edge_shares = (0.3, 0.5)

    def __init__(self, model: str | Path | Model = DEFAULT_MODEL, device: str = "auto"):
        self.notes: list[str] = []
        self._named, self._device = model, device
        self._model: Model | None = None
        self._networks: LoadedNetworks | None = None
        self._failed = False
        self._turn = threading.Lock()

    def warm_up(self, cancel: CancelToken | None = None) -> None:
        """Load the network and let it see one window, so that the first stroke need not wait for that.

        Raises ModelPackageError for a model that does not exist or takes no prompts, DeviceError for an impossible
        device, CancelledError once cancel is set.
        """
        empty = np.zeros((SIZE, SIZE, SIZE), dtype=np.float32)
        everywhere = slice(0, SIZE)
        self.probability(View(empty, empty > 0, empty, empty, (everywhere, everywhere, everywhere)), cancel)

    def probability(self, view: View, cancel: CancelToken | None = None) -> NDArray[np.float32]:
        """Return the probability (z, y, x) that a point of the window belongs to the object; errors as warm_up.

        That of a new object is a mean of what the network and the edges (see edges.py) say. A stroke on a segment
        changes only what both agree on.
        """
        token = cancel or CancelToken()
        with self._turn:
            token.raise_if_cancelled()
            networks = self._loaded()
            return networks.on_first_that_works(
                "cpu" if self._failed else select_device(self._device).name,
                lambda device: self._on(device, networks, view, token),
                self._give_way,
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

    def _on(self, device: str, networks: LoadedNetworks, view: View, cancel: CancelToken) -> NDArray[np.float32]:
        import torch

        from LightMedSegLib.inference.sliding_window.predictor import Predictor
        from LightMedSegLib.interaction.edges import by_edges, on_device, prompts_on
        from LightMedSegLib.interaction.encoding import normalize_window, with_prompts

        predictor = Predictor(networks.on(device), device, cancel=cancel)
        # Not every operation of the walk exists on Apple GPUs.
        place = device if device.startswith("cuda") else "cpu"
        with torch.inference_mode():
            normal = normalize_window(on_device(view.image, place))
            prompts = prompts_on(view, place)
            walk = by_edges(normal, prompts, view)
            channels = with_prompts(normal, prompts.present.float(), prompts.include, prompts.exclude, walk)
            logits = predictor(channels.to(device)).to(place)
            found = (logits[:, 1:] - logits[:, :1]).sigmoid()
            return self._joined(found, walk, view)[0, 0].cpu().numpy()

    def _joined(self, network: torch.Tensor, walk: torch.Tensor, view: View) -> torch.Tensor:
        if view.drawn is None:
            share = self.edge_shares[0 if view.first else 1]
            return share * walk + (1 - share) * network
        return network.minimum(walk) if view.paints else network.maximum(walk)

    def _give_way(self, note: str) -> None:
        # To load the network there again, only to see it fail, would cost seconds at every stroke.
        self._failed = True
        self.notes.append(note)
