"""Blocks of voxels as channels, and the head that writes them."""

from __future__ import annotations

import torch

from LightMedSegLib.network.head import SubvoxelHead
from LightMedSegLib.network.layers.subvoxel import depth_to_space, space_to_depth


def test_every_offset_of_a_block_is_a_channel_and_comes_back():
    x = torch.randn(2, 3, 4, 6, 8)
    blocks = space_to_depth(x)
    assert blocks.shape == (2, 24, 2, 3, 4)
    for offset in range(8):
        z, y, x_ = offset >> 2, offset >> 1 & 1, offset & 1
        assert torch.equal(blocks[:, 3 * offset : 3 * offset + 3], x[:, :, z::2, y::2, x_::2])
    assert torch.equal(depth_to_space(blocks), x)


def test_the_head_starts_without_a_checkerboard_and_can_learn_each_voxel_of_a_block():
    torch.manual_seed(0)
    head = SubvoxelHead(8, 8, classes=3, groups=4, ghost=True, refine=True)
    features, stem = torch.randn(1, 8, 4, 4, 4), torch.randn(1, 8, 4, 4, 4)
    logits = space_to_depth(head(features, stem)).view(1, 8, 3, 4, 4, 4)
    assert logits.std(dim=1).mean() < 0.2 * logits.std()
    for offset in range(8):
        head.zero_grad()
        space_to_depth(head(features, stem)).view(1, 8, 3, 4, 4, 4)[:, offset].sum().backward()
        rows = head.classify.bias.grad.view(8, 3).abs().sum(dim=1).nonzero().flatten()
        assert rows.tolist() == [offset]
