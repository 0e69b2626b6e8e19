"""Everything that a worker needs to segment a scan, imported: the process that imports this is copied for each worker.

It must not compute: PyTorch's threads would be missing in the copies.
"""

from __future__ import annotations

import contextlib

from LightMedSegLib.core.torch_loading import let_waiting_threads_sleep

let_waiting_threads_sleep()

# Without PyTorch there is no worker: the command says so.
with contextlib.suppress(ImportError, OSError):
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
