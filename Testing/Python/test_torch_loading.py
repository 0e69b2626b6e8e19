"""Loading PyTorch must not stop the other threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOAD_AND_IMPORT = """
import sys
from LightMedSegLib.torch_loading import load_torch_quietly
load_torch_quietly()
assert "torch" not in sys.modules
loaded = open("/proc/self/maps").read()
assert "libtorch_cpu" in loaded
import torch
assert torch.ones(2).sum() == 2
load_torch_quietly()
"""

WITHOUT_TORCH = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else find(name, *rest)
from LightMedSegLib.torch_loading import load_torch_quietly
load_torch_quietly()
assert "torch" not in sys.modules
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's list of loaded libraries")
def test_the_library_is_in_memory_before_the_import_and_the_import_still_works():
    subprocess.run([sys.executable, "-c", LOAD_AND_IMPORT], check=True, timeout=120)


def test_without_pytorch_nothing_happens():
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True, timeout=60)
