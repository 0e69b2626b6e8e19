"""How lists, tuples, dictionaries and unions are kept in a parameter node."""

from __future__ import annotations

import types
import typing
from typing import Any

from .containers import ObservedDict, ObservedList
from .serializers import Serializer, parameterNodeSerializer, serializer_for
from .validators import Validator


@parameterNodeSerializer
class ListSerializer(Serializer):
    def __init__(self, kind: Any, validators: list[Validator]) -> None:
        super().__init__(kind, validators)
        self.element = serializer_for(typing.get_args(kind)[0])

    @staticmethod
    def accepts(kind: Any) -> bool:
        return typing.get_origin(kind) is list

    def default(self) -> Any:
        return []

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(f"{name}_len"))

    def store(self, node: Any, name: str, value: Any) -> None:
        for item in value:
            self.element.validate(item)
        before = int(node.GetParameter(f"{name}_len")) if self.is_in(node, name) else 0
        for index, item in enumerate(value):
            self.element.store(node, f"{name}_{index}", item)
        for index in range(len(value), before):
            self.element.remove(node, f"{name}_{index}")
        node.SetParameter(f"{name}_len", str(len(value)))

    def read(self, node: Any, name: str) -> Any:
        length = int(node.GetParameter(f"{name}_len") or 0)
        items = [self.element.read(node, f"{name}_{index}") for index in range(length)]
        return ObservedList(items, lambda changed: self.write(node, name, changed))

    def remove(self, node: Any, name: str) -> None:
        self.store(node, name, [])
        node.UnsetParameter(f"{name}_len")


@parameterNodeSerializer
class TupleSerializer(Serializer):
    def __init__(self, kind: Any, validators: list[Validator]) -> None:
        super().__init__(kind, validators)
        self.elements = [serializer_for(argument) for argument in typing.get_args(kind)]

    @staticmethod
    def accepts(kind: Any) -> bool:
        return typing.get_origin(kind) is tuple

    def default(self) -> Any:
        return tuple(element.default() for element in self.elements)

    def is_in(self, node: Any, name: str) -> bool:
        return self.elements[0].is_in(node, f"{name}_0")

    def store(self, node: Any, name: str, value: Any) -> None:
        if len(value) != len(self.elements):
            raise ValueError(f"Expected {len(self.elements)} values, got {len(value)}")
        for index, (element, item) in enumerate(zip(self.elements, value, strict=False)):
            element.validate(item)
            element.store(node, f"{name}_{index}", item)

    def read(self, node: Any, name: str) -> Any:
        return tuple(element.read(node, f"{name}_{index}") for index, element in enumerate(self.elements))

    def remove(self, node: Any, name: str) -> None:
        for index, element in enumerate(self.elements):
            element.remove(node, f"{name}_{index}")


@parameterNodeSerializer
class DictSerializer(Serializer):
    """Kept as a list of (key, value) tuples."""

    def __init__(self, kind: Any, validators: list[Validator]) -> None:
        super().__init__(kind, validators)
        key, value = typing.get_args(kind)
        self.items = ListSerializer(list[tuple[key, value]], [])  # type: ignore[valid-type]

    @staticmethod
    def accepts(kind: Any) -> bool:
        return typing.get_origin(kind) is dict

    def default(self) -> Any:
        return {}

    def is_in(self, node: Any, name: str) -> bool:
        return self.items.is_in(node, name)

    def store(self, node: Any, name: str, value: Any) -> None:
        self.items.store(node, name, list(value.items()))

    def read(self, node: Any, name: str) -> Any:
        return ObservedDict(dict(self.items.read(node, name)), lambda changed: self.write(node, name, changed))

    def remove(self, node: Any, name: str) -> None:
        self.items.remove(node, name)


@parameterNodeSerializer
class UnionSerializer(Serializer):
    """`A | None` and unions of node classes, each alternative under its own index."""

    def __init__(self, kind: Any, validators: list[Validator]) -> None:
        super().__init__(kind, validators)
        self.optional = type(None) in typing.get_args(kind)
        self.alternatives = [
            serializer_for(argument) for argument in typing.get_args(kind) if argument is not type(None)
        ]

    @staticmethod
    def accepts(kind: Any) -> bool:
        return typing.get_origin(kind) in (typing.Union, types.UnionType)

    def default(self) -> Any:
        return None if self.optional else self.alternatives[0].default()

    def is_in(self, node: Any, name: str) -> bool:
        count = len(self.alternatives)
        return bool(node.HasParameter(f"{name}_{count}")) or any(
            alternative.is_in(node, f"{name}_{index}") for index, alternative in enumerate(self.alternatives)
        )

    def store(self, node: Any, name: str, value: Any) -> None:
        self.remove(node, name)
        if value is None and self.optional:
            node.SetParameter(f"{name}_{len(self.alternatives)}", "True")
            return
        failures = []
        for index, alternative in enumerate(self.alternatives):
            try:
                alternative.validate(value)
            except (TypeError, ValueError) as error:
                failures.append(error)
                continue
            alternative.store(node, f"{name}_{index}", value)
            return
        raise TypeError(f"Unable to write value '{value}' of type '{type(value)}'") from failures[-1]

    def read(self, node: Any, name: str) -> Any:
        for index, alternative in enumerate(self.alternatives):
            if alternative.is_in(node, f"{name}_{index}"):
                return alternative.read(node, f"{name}_{index}")
        return None

    def remove(self, node: Any, name: str) -> None:
        for index, alternative in enumerate(self.alternatives):
            if alternative.is_in(node, f"{name}_{index}"):
                alternative.remove(node, f"{name}_{index}")
        node.UnsetParameter(f"{name}_{len(self.alternatives)}")
