"""Peak memory of the command lightmedseg segment, for the sample head and for a head of 256 x 256 x 192 voxels.

    python Testing/Benchmarks/peak_memory.py [--rounds 2] [--output FOLDER]

Each run is a process of its own on the processor. What counts is the greatest resident set of that process, from
Linux's /proc. Writes peak-memory.csv, a row for each run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import SimpleITK as sitk  # noqa: E402
from end_to_end import whole_head  # noqa: E402
from report import markdown, write_csv  # noqa: E402

from LightMedSegLib.io.sample_data import sample_path  # noqa: E402
from LightMedSegLib.model.store import resolve_model  # noqa: E402

MODEL = "brain-structures-mr"

# Not getrusage: its figure begins with the memory of the process that started this one.
_PROGRAM = """
import sys
from pathlib import Path
from LightMedSegLib.cli import main
code = main(sys.argv[1:])
fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print("peak", fields["VmHWM"].split()[0])
sys.exit(code)
"""


def peak_megabytes(scan: Path, model: str) -> float:
    """Return the peak in MB (10^6 bytes) of a process that segments scan on the processor."""
    with tempfile.TemporaryDirectory(prefix="lightmedseg-") as folder:
        words = ["segment", str(scan), f"{folder}/result.nii.gz", "--model", model, "--device", "cpu", "-q"]
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
    return int(done.stdout.split()[-1]) * 1024 / 1e6


def main() -> int:
    """Measure each scan the wanted number of times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path())
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = []
    identifier = resolve_model(MODEL).card.identifier
    with tempfile.TemporaryDirectory(prefix="lightmedseg-") as folder:
        whole = Path(folder) / "whole.nii.gz"
        sitk.WriteImage(whole_head(), str(whole))
        for name, scan in (("sample head", sample_path("head")), ("whole head", whole)):
            reader = sitk.ImageFileReader()
            reader.SetFileName(str(scan))
            reader.ReadImageInformation()
            size = " x ".join(str(length) for length in reader.GetSize())
            for turn in range(1, chosen.rounds + 1):
                megabytes = round(peak_megabytes(scan, MODEL))
                rows.append({"scan": name, "voxels": size, "model": identifier, "run": turn, "megabytes": megabytes})
    print(markdown(rows))
    chosen.output.mkdir(parents=True, exist_ok=True)
    write_csv(chosen.output / "peak-memory.csv", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
