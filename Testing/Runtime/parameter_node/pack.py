"""parameterPack: a group of parameters that is one parameter, with dotted names in the node and in .ui files."""

from __future__ import annotations

import typing
from typing import Any

from .serializers import Default, Serializer, parameterNodeSerializer, serializer_for, split_annotated
from .validators import IsInstance, NotNone, Validator


class Member:
    """One parameter of a wrapper or pack class."""

    def __init__(self, owner: type, name: str, annotated: Any) -> None:
        self.name, self.annotated = name, annotated
        self.serializer = serializer_for(annotated)
        annotations = split_annotated(annotated)[1]
        defaults = [annotation.value for annotation in annotations if isinstance(annotation, Default)]
        if name in vars(owner):
            self.default = vars(owner)[name]
        else:
            self.default = defaults[0] if defaults else self.serializer.default()


def members_of(owner: type) -> dict[str, Member]:
    """The annotated members of a class. Raises TypeError for a type that cannot be kept."""
    hints = typing.get_type_hints(owner, include_extras=True)
    return {name: Member(owner, name, annotated) for name, annotated in hints.items()}


def isParameterPack(candidate: Any) -> bool:
    return bool(getattr(candidate, "_is_parameterPack", False))


def nestedParameterNames(pack: Any) -> list[str]:
    names = []
    for name, member in split_annotated(pack)[0].allParameters.items():
        kind = split_annotated(member.annotated)[0]
        names += [f"{name}.{inner}" for inner in nestedParameterNames(kind)] if isParameterPack(kind) else [name]
    return names


def parameterPack(owner: Any = None) -> Any:
    """Class decorator: validated attributes, and `getValue`, `setValue`, `dataType` by dotted name."""
    if owner is None:
        return parameterPack
    members = members_of(owner)
    if not members:
        raise ValueError("Unable to find any members in parameterPack")
    for member in members.values():
        try:
            member.serializer.validate(member.default)
        except (TypeError, ValueError) as error:
            raise ValueError(f"The default of '{member.name}' is not valid: {error}") from error

    def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
        values = {name: member.default for name, member in members.items()}
        values.update(zip(members, args, strict=False))
        if unknown := set(kwargs) - set(members):
            raise TypeError(f"__init__() got an unexpected keyword argument '{unknown.pop()}'")
        values.update(kwargs)
        self.__dict__["_values"] = {}
        self.__dict__["_write"] = None
        for name, value in values.items():
            setattr(self, name, value)

    for name, member in members.items():
        setattr(owner, name, _pack_property(member))
    extras = {
        "__init__": initialize,
        "__eq__": lambda self, other: isinstance(other, owner) and self._values == other._values,
        "__repr__": lambda self: f"{owner.__name__}({', '.join(f'{k}={v!r}' for k, v in self._values.items())})",
        "allParameters": members,
        "_is_parameterPack": True,
        "getValue": _get_value,
        "setValue": _set_value,
        "dataType": classmethod(_data_type),
    }
    for name, value in extras.items():
        setattr(owner, name, value)
    return owner


def _pack_property(member: Member) -> property:
    def write(self: Any, value: Any) -> None:
        member.serializer.validate(value)
        self._values[member.name] = value
        if self._write is not None:
            self._write(self)

    return property(lambda self: self._values[member.name], write)


def _get_value(self: Any, name: str) -> Any:
    first, _, rest = name.partition(".")
    value = self._values[first]
    return value.getValue(rest) if rest else value


def _set_value(self: Any, name: str, value: Any) -> None:
    first, _, rest = name.partition(".")
    if rest:
        inner = self._values[first]
        inner.setValue(rest, value)
        setattr(self, first, inner)
    else:
        setattr(self, first, value)


def _data_type(owner: Any, name: str) -> Any:
    first, _, rest = name.partition(".")
    if first not in owner.allParameters:
        raise ValueError(f"{owner.__name__} has no member '{first}'")
    annotated = owner.allParameters[first].annotated
    return split_annotated(annotated)[0].dataType(rest) if rest else annotated


@parameterNodeSerializer
class PackSerializer(Serializer):
    """Each member under `<pack>.<member>`; changes of what is read go back to the node."""

    def __init__(self, kind: Any, validators: list[Validator]) -> None:
        super().__init__(kind, [NotNone(), IsInstance(kind), *validators])

    @staticmethod
    def accepts(kind: Any) -> bool:
        return isParameterPack(kind)

    def default(self) -> Any:
        return self.kind()

    def is_in(self, node: Any, name: str) -> bool:
        return all(m.serializer.is_in(node, f"{name}.{m.name}") for m in self.kind.allParameters.values())

    def store(self, node: Any, name: str, value: Any) -> None:
        for member in self.kind.allParameters.values():
            member.serializer.store(node, f"{name}.{member.name}", value._values[member.name])

    def read(self, node: Any, name: str) -> Any:
        values = {m.name: m.serializer.read(node, f"{name}.{m.name}") for m in self.kind.allParameters.values()}
        pack = self.kind(**values)
        pack.__dict__["_write"] = lambda changed: self.write(node, name, changed)
        for member, value in pack._values.items():
            if isParameterPack(value):
                value.__dict__["_write"] = lambda changed, member=member: setattr(pack, member, changed)
        return pack

    def remove(self, node: Any, name: str) -> None:
        for member in self.kind.allParameters.values():
            member.serializer.remove(node, f"{name}.{member.name}")
