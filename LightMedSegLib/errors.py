"""The errors that scripts catch: all are a LightMedSegError."""

from LightMedSegLib.core.errors import (
    CancelledError,
    DependencyError,
    DeviceError,
    DoubtfulResultError,
    InputImageError,
    LightMedSegError,
    ModelPackageError,
    ModelStoreError,
    OutputError,
    TrainingDataError,
)

__all__ = [
    "CancelledError",
    "DependencyError",
    "DeviceError",
    "DoubtfulResultError",
    "InputImageError",
    "LightMedSegError",
    "ModelPackageError",
    "ModelStoreError",
    "OutputError",
    "TrainingDataError",
]
