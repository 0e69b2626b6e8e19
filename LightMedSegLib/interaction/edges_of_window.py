"""What prompts and edges alone say of one window of a session."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Region


def edges_of_window(
    image: NDArray[np.float32],
    present: NDArray[np.bool_],
    include: NDArray[np.float32],
    exclude: NDArray[np.float32],
    inside: Region,
    new_object: bool,
) -> NDArray[np.float32]:
    """Return the probability (z, y, x) that a grid point belongs to the object by its prompts and edges.

    image, present, include, exclude: (z, y, x) on the window's grid, prompts as in their channels. inside: the part of
    it that lies in the volume. new_object: False for a segment under correction.
    """
    # The session begins before PyTorch is loaded.
    import torch

    from LightMedSegLib.interaction import edges
    from LightMedSegLib.interaction.encoding import normalize_window

    def batch(array: NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array))[None, None]

    with torch.inference_mode():
        prompts, normal = (batch(include), batch(exclude)), normalize_window(batch(image))
        if new_object:
            within = np.zeros(image.shape, dtype=bool)
            within[inside] = True
            found = edges.new_object(normal, *prompts, batch(within))
        else:
            found = edges.corrected(normal, batch(present), *prompts)
        return found[0, 0].numpy()
