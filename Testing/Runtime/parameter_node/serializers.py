"""How values of each type are kept in a parameter node."""

from __future__ import annotations

import enum
import pathlib
import typing
from typing import Any

import slicer

from .validators import IsInstance, NotNone, Validator


class Default:
    """Annotation: the value of a parameter that nobody has set."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Serializer:
    """Reads and writes one parameter of a node by name."""

    def __init__(self, kind: Any, validators: list[Validator]) -> None:
        self.kind, self.validators = kind, validators

    @staticmethod
    def accepts(kind: Any) -> bool:
        raise NotImplementedError

    def default(self) -> Any:
        raise NotImplementedError

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def store(self, node: Any, name: str, value: Any) -> None:
        raise NotImplementedError

    def read(self, node: Any, name: str) -> Any:
        raise NotImplementedError

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)

    def validate(self, value: Any) -> None:
        for validator in self.validators:
            validator.validate(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        """Validate, then store with one Modified event. Raises what the validators raise."""
        self.validate(value)
        with slicer.util.NodeModify(node):
            self.store(node, name, value)


_registered: list[type[Serializer]] = []


def parameterNodeSerializer(kind: Any = None) -> Any:
    """Class decorator: this serializer is tried for parameter types (the last registered first)."""

    def register(serializer: type[Serializer]) -> type[Serializer]:
        _registered.append(serializer)
        return serializer

    return register if kind is None else register(kind)


def split_annotated(annotated: Any) -> tuple[Any, list[Any]]:
    """(type, annotations) of a possibly Annotated type."""
    if typing.get_origin(annotated) is typing.Annotated:
        kind, *annotations = typing.get_args(annotated)
        return kind, list(annotations)
    return annotated, []


def serializer_for(annotated: Any) -> Serializer:
    """Raises TypeError for a type that a parameter node cannot keep."""
    kind, annotations = split_annotated(annotated)
    validators = [annotation for annotation in annotations if isinstance(annotation, Validator)]
    for serializer in reversed(_registered):
        if serializer.accepts(kind):
            return serializer(kind, validators)
    raise TypeError(f"Unable to create serializer for type: {kind}")


class _Text(Serializer):
    """Base of the serializers that keep one text."""

    kinds: tuple[Any, ...] = ()
    instance_of: Any = None

    def __init__(self, kind: Any, validators: list[Validator]) -> None:
        super().__init__(kind, [NotNone(), IsInstance(self.instance_of or kind), *validators])

    @classmethod
    def accepts(cls, kind: Any) -> bool:  # type: ignore[override]
        return kind in cls.kinds

    def default(self) -> Any:
        return self.kind()

    def store(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, str(value))

    def read(self, node: Any, name: str) -> Any:
        return self.kind(node.GetParameter(name))


@parameterNodeSerializer
class IntSerializer(_Text):
    kinds = (int,)


@parameterNodeSerializer
class FloatSerializer(_Text):
    kinds, instance_of = (float,), (int, float)


@parameterNodeSerializer
class StringSerializer(_Text):
    kinds = (str,)


@parameterNodeSerializer
class PathSerializer(_Text):
    kinds = (pathlib.Path, pathlib.PurePath, pathlib.PosixPath, pathlib.PurePosixPath)


@parameterNodeSerializer
class BoolSerializer(_Text):
    kinds = (bool,)

    def read(self, node: Any, name: str) -> Any:
        return node.GetParameter(name) == "True"


@parameterNodeSerializer
class EnumSerializer(_Text):
    """Kept by name: renaming a member loses it in old scenes."""

    @classmethod
    def accepts(cls, kind: Any) -> bool:
        return isinstance(kind, enum.EnumMeta)

    def default(self) -> Any:
        return next(iter(self.kind))

    def store(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, value.name)

    def read(self, node: Any, name: str) -> Any:
        return self.kind[node.GetParameter(name)]


@parameterNodeSerializer
class NodeSerializer(Serializer):
    """A node reference; the parameter of the same name tells that it was set."""

    def __init__(self, kind: Any, validators: list[Validator]) -> None:
        super().__init__(kind, [IsInstance(kind), *validators])

    @staticmethod
    def accepts(kind: Any) -> bool:
        return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)

    def default(self) -> Any:
        return None

    def store(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)
