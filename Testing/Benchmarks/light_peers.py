"""Two published light networks, built here in few lines from their published configurations.

They are named "-like": their authors' code was not used. Parameters and multiply-adds are in the benchmark's table
beside the published ones, so that everybody sees how near they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ReducedAttention(nn.Module):
    """Self-attention over voxels whose keys and values come from a map reduced by a strided convolution."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.project = nn.Linear(channels, channels)
        self.reduce = nn.Conv3d(channels, channels, reduction, stride=reduction) if reduction > 1 else None
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, size: tuple[int, int, int]) -> Tensor:
        """(B, voxels, C) of a map of the given size to the same."""
        batch, _, channels = x.shape
        source = x
        if self.reduce is not None:
            volume = x.transpose(1, 2).reshape(batch, channels, *size)
            source = self.norm(self.reduce(volume).flatten(2).transpose(1, 2))
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(x), *self.key_value(source).chunk(2, dim=2))
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        return self.project(attended.transpose(1, 2).flatten(2))


class MixFeedForward(nn.Module):
    """Two linear layers with a depthwise 3x3x3 convolution between them."""

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        hidden = channels * ratio
        self.enter = nn.Linear(channels, hidden)
        self.mix = nn.Conv3d(hidden, hidden, 3, padding=1, groups=hidden)
        self.norm = nn.BatchNorm3d(hidden)
        self.leave = nn.Linear(hidden, channels)

    def forward(self, x: Tensor, size: tuple[int, int, int]) -> Tensor:
        """(B, voxels, C) of a map of the given size to the same."""
        hidden = self.enter(x).transpose(1, 2).unflatten(2, size)
        return self.leave(functional.gelu(self.norm(self.mix(hidden))).flatten(2).transpose(1, 2))


class SegFormer3DLike(nn.Module):
    """Perera, Navard, Yilmaz 2024: four stages of reduced attention, an all-linear decoder; published 4.5 M."""

    total_stride = 32

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        widths, heads, reductions = (32, 64, 160, 256), (1, 2, 5, 8), (4, 2, 1, 1)
        self.embed, self.stages = nn.ModuleList(), nn.ModuleList()
        for index, width in enumerate(widths):
            before = widths[index - 1] if index else in_channels
            kernel, stride = (7, 4) if index == 0 else (3, 2)
            self.embed.append(nn.Conv3d(before, width, kernel, stride=stride, padding=kernel // 2))
            self.stages.append(
                nn.ModuleList(
                    nn.ModuleList(
                        (
                            nn.LayerNorm(width),
                            ReducedAttention(width, heads[index], reductions[index]),
                            nn.LayerNorm(width),
                            MixFeedForward(width, 4),
                        )
                    )
                    for _ in range(2)
                )
            )
        self.to_decoder = nn.ModuleList(nn.Conv3d(width, 256, 1) for width in widths)
        self.fuse = nn.Sequential(nn.Conv3d(1024, 256, 1, bias=False), nn.BatchNorm3d(256), nn.ReLU())
        self.classify = nn.Conv3d(256, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, z, y, x) -> logits of the same size."""
        size, maps = x.shape[2:], []
        for embed, blocks in zip(self.embed, self.stages, strict=True):
            x = embed(x)
            here = (x.shape[2], x.shape[3], x.shape[4])
            tokens = x.flatten(2).transpose(1, 2)
            for first_norm, attention, second_norm, feed_forward in blocks:  # type: ignore[misc]
                tokens = tokens + attention(first_norm(tokens), here)
                tokens = tokens + feed_forward(second_norm(tokens), here)
            x = tokens.transpose(1, 2).unflatten(2, here)
            maps.append(x)
        target = maps[0].shape[2:]
        resized = [
            functional.interpolate(layer(part), size=target, mode="trilinear")
            for layer, part in zip(self.to_decoder, maps, strict=True)
        ]
        logits = self.classify(self.fuse(torch.cat(resized[::-1], dim=1)))
        return functional.interpolate(logits, size=size, mode="trilinear")


class SparseBlock(nn.Module):
    """A local depthwise convolution, attention among a reduced map spread again, and a two-layer perceptron."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.reduction = reduction
        self.heads = heads
        self.position = nn.Conv3d(channels, channels, 3, padding=1, groups=channels)
        self.norms = nn.ModuleList(nn.BatchNorm3d(channels) for _ in range(3))
        self.local = nn.Sequential(
            nn.Conv3d(channels, channels, 1),
            nn.Conv3d(channels, channels, 3, padding=1, groups=channels),
            nn.Conv3d(channels, channels, 1),
        )
        self.attend = nn.Conv3d(channels, 3 * channels, 1, bias=False)
        self.spread = nn.ConvTranspose3d(channels, channels, reduction, stride=reduction, groups=channels)
        self.project = nn.Conv3d(channels, channels, 1)
        self.perceptron = nn.Sequential(
            nn.Conv3d(channels, 4 * channels, 1), nn.GELU(), nn.Conv3d(4 * channels, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, z, y, x) to the same."""
        x = x + self.position(x)
        x = x + self.local(self.norms[0](x))
        reduced = functional.avg_pool3d(self.norms[1](x), self.reduction)
        query, key, value = (
            part.flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)
            for part in self.attend(reduced).chunk(3, dim=1)
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        attended = attended.transpose(2, 3).flatten(1, 2).unflatten(2, reduced.shape[2:])
        x = x + self.project(self.spread(attended))
        return x + self.perceptron(self.norms[2](x))


class SlimUNETRLike(nn.Module):
    """Pang et al. 2023: patches of 4, four stages of sparse attention, a convolutional decoder; published 1.8 M."""

    total_stride = 32

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        widths, depths, heads, reductions = (24, 48, 60, 96), (1, 2, 3, 2), (1, 2, 4, 4), (4, 2, 2, 1)
        befores, strides = (in_channels, *widths[:-1]), (4, 2, 2, 2)
        self.down = nn.ModuleList(
            nn.Conv3d(before, width, stride, stride=stride)
            for before, width, stride in zip(befores, widths, strides, strict=True)
        )
        self.encode = nn.ModuleList(
            nn.Sequential(*(SparseBlock(widths[index], heads[index], reductions[index]) for _ in range(depths[index])))
            for index in range(4)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(widths[index], widths[index - 1], 2, stride=2) for index in range(3, 0, -1)
        )
        self.bottom = nn.Sequential(*(nn.Conv3d(widths[3], widths[3], 3, padding=1) for _ in range(2)))
        self.fuse = nn.ModuleList(
            nn.Conv3d(2 * widths[index - 1], widths[index - 1], 3, padding=1) for index in range(3, 0, -1)
        )
        self.decode = nn.ModuleList(
            SparseBlock(widths[index - 1], heads[index - 1], reductions[index - 1]) for index in range(3, 0, -1)
        )
        self.classify = nn.ConvTranspose3d(widths[0], num_classes, 4, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, z, y, x) -> logits of the same size."""
        skips = []
        for down, stage in zip(self.down, self.encode, strict=True):
            x = stage(down(x))
            skips.append(x)
        x = self.bottom(x)
        for index, (up, fuse, block) in enumerate(zip(self.up, self.fuse, self.decode, strict=True)):
            x = block(fuse(torch.cat((up(x), skips[2 - index]), dim=1)))
        return self.classify(x)
