"""What must hold in Slicer's own Python too; registered there by CMakeLists.txt, so only unittest."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


class LibraryInSlicerTest(unittest.TestCase):
    """Models and samples are complete, and are read with what Slicer brings along."""

    def test_every_shipped_model_is_sound(self) -> None:
        from LightMedSegLib.model.store import ModelStore

        shipped = [entry for entry in ModelStore().verify() if entry.shipped]
        self.assertTrue(shipped)
        self.assertEqual([entry.problem for entry in shipped], [None] * len(shipped))

    def test_the_samples_can_be_read(self) -> None:
        from LightMedSegLib.io.sample_data import SAMPLES, sample_path
        from LightMedSegLib.io.volume_files import read_volume

        for sample in SAMPLES:
            self.assertEqual(read_volume(sample_path(sample)).GetDimension(), 3)


if __name__ == "__main__":
    unittest.main()
