"""One process per GPU, started by torchrun; a run without torchrun is a group of one."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class ProcessGroup:
    """Rank of this process in the group; only rank 0 validates and writes."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return the network, wrapped so that gradients are averaged over all processes."""
        if self.world_size == 1:
            return network
        numbers = [device.index or 0] if device.type == "cuda" else None
        # A short list of deep supervision weights leaves the coarsest heads without a gradient.
        return nn.parallel.DistributedDataParallel(network, device_ids=numbers, find_unused_parameters=True)

    def agree(self, value: float, device: torch.device) -> float:
        """Return the value of rank 0 in all processes: clocks differ, and all must stop at the same step."""
        if self.world_size == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=device)
        torch.distributed.broadcast(tensor, src=0)
        return float(tensor.item())

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Return the mean of value over all processes."""
        if self.world_size == 1:
            return value
        value = value.clone()
        torch.distributed.all_reduce(value)
        return value / self.world_size

    def close(self) -> None:
        """Leave the group."""
        if self.world_size > 1:
            torch.distributed.destroy_process_group()


def join_group(device: str) -> ProcessGroup:
    """Return the group of torchrun's environment, after joining it if it has several processes."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        return ProcessGroup()
    rank, local_rank = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return ProcessGroup(rank, world_size, local_rank)
