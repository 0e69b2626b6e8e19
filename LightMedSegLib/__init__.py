"""LightMedSeg: light-weight 3D medical image segmentation on the CPU or on CUDA.

What a program needs is here: :func:`segment` and its result :class:`Segmentation`, :func:`evaluate`,
:func:`evaluate_folder`, :func:`models`, :func:`load_model`, :func:`read_volume` and :func:`finetune`. Whatever a user
can do something about is raised as a :class:`LightMedSegError` of one sentence. Importing this package imports neither
torch nor SimpleITK nor numpy: each name brings what it needs when it is first used.
"""

from __future__ import annotations

# Importing typing takes a hundredth of a second, in which the program could not yet end quietly after Ctrl+C.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from LightMedSegLib.core.errors import LightMedSegError
    from LightMedSegLib.evaluation.comparison import evaluate
    from LightMedSegLib.evaluation.folders import evaluate_folder
    from LightMedSegLib.finetuning.job.from_files import finetune
    from LightMedSegLib.inference.segmentation import Segmentation, segment
    from LightMedSegLib.io.volume_files import read_volume
    from LightMedSegLib.model.store import installed_models as models
    from LightMedSegLib.model.store import resolve_model as load_model

__version__ = "0.1.0"
__all__ = [
    "LightMedSegError",
    "Segmentation",
    "__version__",
    "evaluate",
    "evaluate_folder",
    "finetune",
    "load_model",
    "models",
    "read_volume",
    "segment",
]

_PLACES = {
    "LightMedSegError": ("core.errors", "LightMedSegError"),
    "Segmentation": ("inference.segmentation", "Segmentation"),
    "evaluate": ("evaluation.comparison", "evaluate"),
    "evaluate_folder": ("evaluation.folders", "evaluate_folder"),
    "finetune": ("finetuning.job.from_files", "finetune"),
    "load_model": ("model.store", "resolve_model"),
    "models": ("model.store", "installed_models"),
    "read_volume": ("io.volume_files", "read_volume"),
    "segment": ("inference.segmentation", "segment"),
}
"""Public name to module and name there."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, inner = _PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), inner)


def __dir__() -> list[str]:
    return sorted(__all__)
