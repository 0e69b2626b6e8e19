"""The user's corrected cases, for scripts."""

from LightMedSegLib.finetuning.cases.store import CaseStore

__all__ = ["CaseStore"]
