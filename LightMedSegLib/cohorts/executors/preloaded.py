"""Everything that a worker needs to segment a scan, imported: the process that imports this is copied for each worker.

It must not compute: PyTorch's threads would be missing in the copies.
"""

from __future__ import annotations

import contextlib

from LightMedSegLib.core.errors import DependencyError
from LightMedSegLib.core.torch_loading import import_torch, let_waiting_threads_sleep

let_waiting_threads_sleep()

# Without PyTorch, or with a broken one, a copy says so.
with contextlib.suppress(DependencyError):
    import_torch()

    import torch.utils._device  # noqa: F401

    import LightMedSegLib.checks.scan_warnings
    import LightMedSegLib.cohorts.worker
    import LightMedSegLib.inference.engine
    import LightMedSegLib.inference.padding_labels
    import LightMedSegLib.inference.postprocessing
    import LightMedSegLib.inference.preprocessing
    import LightMedSegLib.inference.sliding_window.volume_labels
    import LightMedSegLib.network.backend
    import LightMedSegLib.network.cpu.choice  # noqa: F401
