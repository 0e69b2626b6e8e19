"""Size and cost of a network: parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def count_multiply_adds(network: nn.Module, input_shape: Sequence[int]) -> int:
    """Multiply-adds of all convolutions and matrix products of one forward pass.

    Args:
        network: any module that maps a tensor of input_shape.
        input_shape: (batch, channel, z, y, x).

    What that literature prints as "FLOPs" is this number. Counted on meta tensors: nothing is
    computed and no memory of that size is needed.
    """
    from torch.utils.flop_counter import FlopCounterMode

    was_training = network.training
    shadow = network.eval()
    state = {name: tensor.to("meta") for name, tensor in shadow.state_dict(keep_vars=False).items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        # Weights shared under several names are in the state under each of them.
        x = torch.empty(tuple(input_shape), device="meta")
        torch.func.functional_call(shadow, state, (x,), tie_weights=False)
    network.train(was_training)
    return counter.get_total_flops() // 2
