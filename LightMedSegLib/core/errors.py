"""Errors that a user can act on.

Every message is one sentence: what is wrong, with which item, and what to do.
The command line prints the message and exits with code 2; the module shows it in the panel.
Any other exception is a defect of the program and keeps its traceback.
"""

from __future__ import annotations


class LightMedSegError(Exception):
    """Base of every error with a message meant for the user."""


class InputImageError(LightMedSegError):
    """The volume cannot be segmented: format, dimension, geometry, values or modality."""


class DoubtfulResultError(LightMedSegError):
    """The volume or the result has a warning and the caller asked for strict checks; nothing was written."""


class ModelPackageError(LightMedSegError):
    """A model package is missing, incomplete, tampered with, or made for a newer program."""


class ModelStoreError(LightMedSegError):
    """The model store refuses a change: the version exists, is read-only, or cannot be written."""


class OutputError(LightMedSegError):
    """A result cannot be written: unknown format, no permission, or the disk is full."""


class DeviceError(LightMedSegError):
    """The requested device does not exist or cannot run the model."""


class TrainingDataError(LightMedSegError):
    """A training case, split or configuration cannot be used."""


class DependencyError(LightMedSegError):
    """A Python package that this action needs is not installed."""


class CancelledError(LightMedSegError):
    """The user cancelled; nothing was written."""


def first_line(error: BaseException) -> str:
    """Return the first line of what error says, without its full stop, or the name of its class."""
    return (str(error).strip() or type(error).__name__).partition("\n")[0].rstrip(".")
