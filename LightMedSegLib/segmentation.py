"""Segmenting volumes, for scripts: once, or many with an engine that stays ready."""

from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.result import Segmentation
from LightMedSegLib.inference.segmentation import segment

__all__ = ["Engine", "Segmentation", "segment"]
