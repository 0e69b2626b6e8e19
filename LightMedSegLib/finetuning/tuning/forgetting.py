"""What keeps a fine-tuned network from forgetting: slow encoder, pull to the parent, rehearsal.

The pull is L2-SP (Li, Grandvalet and Davoine, "Explicit inductive bias for transfer learning with convolutional
networks", ICML 2018): weight decay towards the parent's weights instead of zero. Like AdamW's decay it is applied
to the weights after the step, not to the gradient, so its strength does not depend on the gradient's size.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from LightMedSegLib.network.head import classes_of_block

_ENCODER = ("stem.", "anchor_detector.", "structural_prior.", "encoder.")
"""Names of the network's parts that read the image; what follows them decides."""


_CLASSES = ("head.classify.",)
"""Names of the weights that have a row for each class and voxel of a block."""

_NEW_CLASS_FACTOR = 10.0
"""Learning rate of the class weights, relative to the rest, where a new class has to be learnt from nothing."""


def parameter_groups(
    network: torch.nn.Module, encoder_factor: float, new_classes: bool = False
) -> list[dict[str, object]]:
    """The network's parameters in groups with the key "factor", of the learning rate: encoder, classes, the others.

    A factor of zero freezes the encoder, which also spares computing its gradients.
    """
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        factor = encoder_factor if name.startswith(_ENCODER) else 1.0
        if new_classes and name.startswith(_CLASSES):
            factor = _NEW_CLASS_FACTOR
        parameter.requires_grad_(factor > 0)
        if factor > 0:
            groups.setdefault(factor, []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]


def class_weights(names: Iterable[str]) -> list[str]:
    """Those of a network's weights that have a row for each class and voxel of a block."""
    return [name for name in names if name.startswith(_CLASSES)]


class ParentPull:
    """Moves the weights a little towards the parent's after every step.

    The network must hold the parent's weights still. Of the class weights only those of the first known_classes are
    the parent's; the others stay free.
    """

    def __init__(self, network: torch.nn.Module, strength: float, known_classes: int = 256) -> None:
        self._strength, self._known_classes = strength, known_classes
        trained = [(name, value) for name, value in network.named_parameters() if value.requires_grad]
        self._parameters = [value for _, value in trained]
        self._parent = [value.detach().clone() for value in self._parameters]
        self._classes = [
            (classes_of_block(own.detach()), classes_of_block(self._parent[i]))
            for i, (name, own) in enumerate(trained)
            if name.startswith(_CLASSES)
        ]

    @torch.no_grad()
    def apply(self, learning_rate: float) -> None:
        """Pull by strength times learning_rate of the distance, at most all of it."""
        share = min(1.0, self._strength * learning_rate)
        if share > 0:
            for own, parent in self._classes:
                parent[:, self._known_classes :] = own[:, self._known_classes :]
            torch._foreach_lerp_([value.data for value in self._parameters], self._parent, share)


def rehearses(place: int, share: float) -> bool:
    """Whether the patch number place of a run comes from the reference set, so that share of all patches do."""
    return int((place + 1) * share) > int(place * share)
