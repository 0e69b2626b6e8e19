"""Loading PyTorch must not stop the other threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from patience import limit

LOAD_AND_IMPORT = """
import gc, sys
from LightMedSegLib.core import torch_loading
collected, plain = [], torch_loading.import_torch
gc.callbacks.append(lambda phase, facts: collected.append(facts["generation"]) if importing else None)
importing = False

def import_torch():
    global importing
    assert "libtorch_cpu" in open("/proc/self/maps").read()
    importing = True
    plain()
    importing = False

torch_loading.import_torch = import_torch
torch_loading.load_torch_quietly()
assert collected == [], "a million new objects are no work for the garbage collector"
assert gc.isenabled() and gc.get_freeze_count() > 100_000
assert sys.modules["torch"].ones(2).sum() == 2
torch_loading.import_torch = None
torch_loading.load_torch_quietly()
"""

WITHOUT_TORCH = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else find(name, *rest)
from LightMedSegLib.core.torch_loading import load_torch_quietly
load_torch_quietly()
assert "torch" not in sys.modules
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's list of loaded libraries")
def test_the_library_is_in_memory_before_the_import_and_the_import_still_works():
    subprocess.run([sys.executable, "-c", LOAD_AND_IMPORT], check=True, timeout=limit(120))


def test_without_pytorch_nothing_happens():
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True, timeout=limit(60))


WAITING = """
import os, sys
from LightMedSegLib.cli import main
main(["models"])
assert "torch" not in sys.modules
print(*(os.environ.get(name, "-") for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")))
"""


@pytest.mark.parametrize(("policy", "expected"), [(None, "PASSIVE 10000 0"), ("ACTIVE", "ACTIVE - 0")])
def test_threads_of_the_command_sleep_while_they_wait_unless_the_user_decides_otherwise(
    monkeypatch: pytest.MonkeyPatch, policy: str | None, expected: str
) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    if policy is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    done = subprocess.run(
        [sys.executable, "-c", WAITING], capture_output=True, text=True, timeout=limit(60), check=True
    )
    assert done.stdout.splitlines()[-1] == expected


MODEL = """
import sys
from LightMedSegLib.model.store import resolve_model
from LightMedSegLib.io.sample_data import sample_path
from LightMedSegLib.inference.segmentation import segment
from LightMedSegLib.io.volume_files import read_volume
segment(read_volume(sample_path("hippocampus")), resolve_model("hippocampus-t1-mr"), "cpu")
assert "torch" in sys.modules and "torch._dynamo" not in sys.modules
"""


def test_a_segmentation_does_not_load_the_compiler_of_pytorch() -> None:
    """A thousand modules that nothing uses: seconds of the first run."""
    subprocess.run([sys.executable, "-c", MODEL], check=True, timeout=limit(300))


BROKEN = """
import sys
sys.path.insert(0, sys.argv[1])
from LightMedSegLib.cli import main
sys.exit(main(["segment", "sample:hippocampus", sys.argv[1] + "/result.nrrd", "--model", "hippocampus-t1-mr"]))
"""


BROKEN_SENTENCE = "PyTorch is installed, but cannot be loaded; install the package torch again ("
MEMORY_SENTENCE = "There is not enough memory to load PyTorch; close other programs, or raise the limit."


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('raise OSError("[WinError 126] The specified module could not be found.")', BROKEN_SENTENCE),
        ('raise ImportError("libcudart.so.12: cannot open shared object file")', BROKEN_SENTENCE),
        ("import a_module_that_pytorch_needs", BROKEN_SENTENCE),
        ("raise MemoryError", MEMORY_SENTENCE),
        ('raise ImportError("libtorch_cpu.so: failed to map segment from shared object")', MEMORY_SENTENCE),
    ],
)
def test_a_pytorch_that_cannot_be_loaded_is_told_in_one_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    (tmp_path / "torch.py").write_text(line)
    command = [sys.executable, "-c", BROKEN, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit(60), check=False)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
