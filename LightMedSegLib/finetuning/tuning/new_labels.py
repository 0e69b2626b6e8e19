"""Output channels for structures that the parent network does not have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch

from LightMedSegLib.core.labels import Label
from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.model.package import Model
from LightMedSegLib.network import build_network
from LightMedSegLib.network.head import classes_of_block

_RELUCTANCE = 1.0
"""How much less than the background a new class is expected before it has been learnt (in logits)."""


def all_labels(labels: Sequence[Label], records: Iterable[CaseRecord]) -> tuple[Label, ...]:
    """The model's labels, then those that only the cases have, in the order of the cases; told apart by name."""
    result = list(labels)
    known = {label.name.casefold() for label in labels}
    for record in records:
        for label in record.labels:
            if label.value in record.reviewed and label.name.casefold() not in known:
                known.add(label.name.casefold())
                result.append(replace(label, value=len(result) + 1))
    return tuple(result)


def grown_network(model: Model, num_classes: int) -> torch.nn.Module:
    """The model's network, on the CPU, with output channels for num_classes.

    All weights of the known classes are exactly the parent's. A new class starts as a copy of the background
    that is _RELUCTANCE logits less likely: it is predicted nowhere at first, but has a gradient everywhere.
    """
    parent = model.build_network()
    card = model.card
    if num_classes == card.num_classes:
        return parent
    network = build_network(card.network.name, card.in_channels, num_classes, **card.network.arguments)
    known = parent.state_dict()
    grown = network.state_dict()
    for name, value in grown.items():
        old = known[name]
        if old.shape == value.shape:
            grown[name] = old
            continue
        classes = classes_of_block(old)
        fresh = classes[:, :1].expand(-1, num_classes - card.num_classes, *old.shape[1:]).clone()
        if old.dim() == 1:
            fresh -= _RELUCTANCE
        grown[name] = torch.cat([classes, fresh], dim=1).flatten(0, 1)
    network.load_state_dict(grown)
    return network.eval()
