"""Two processes train as one: equal weights, and gradients averaged over both."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch
from paths import REPOSITORY
from patience import limit

from LightMedSegLib.learning.checkpoint import read_weights
from LightMedSegLib.training.acceleration.distributed import join_group

WORKER = """
import sys
from pathlib import Path
import torch
from training_factory import configuration, prepared_cases, tiny_network
from LightMedSegLib.learning.checkpoint import write_weights
from LightMedSegLib.training.acceleration.distributed import join_group
from LightMedSegLib.training.trainer import Trainer

torch.set_num_threads(1)
group = join_group("cpu")
assert group.agree(float(group.rank + 5), torch.device("cpu")) == 5
assert float(group.mean(torch.tensor(float(group.rank)))) == 0.5
cases = prepared_cases(5)
output = Path(sys.argv[1]) / f"process{group.rank}"
settings = configuration(optimizer={"steps": 3, "batch": 2}, loss={"deep_supervision_weights": [1.0]})
trainer = Trainer(settings, tiny_network(), cases[:4], cases[4:], output, torch.device("cpu"), group=group,
                  report=lambda message: print(group.rank, message))
result = trainer.train()
write_weights(Path(sys.argv[1]) / f"weights{group.rank}.safetensors", result.weights)
assert output.exists() == group.is_first
group.close()
"""


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    group = join_group("cpu")
    assert (group.rank, group.world_size) == (0, 1)
    assert group.is_first
    network = torch.nn.Linear(1, 1)
    assert group.wrap(network, torch.device("cpu")) is network


@pytest.mark.slow
def test_two_processes_end_with_the_same_weights_and_only_the_first_writes(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = []
    for rank in range(2):
        environment = {
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "Testing" / "Python" / "support")]),
        }
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(tmp_path)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    outputs = [process.communicate(timeout=limit(120))[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    first, second = (read_weights(tmp_path / f"weights{rank}.safetensors") for rank in range(2))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value)
    assert (tmp_path / "process0" / "checkpoint.json").is_file()
    assert "validation" in outputs[0]
