"""The class decorator parameterNodeWrapper."""

from __future__ import annotations

from typing import Any

import slicer

from .connectors import GuiConnector, create_connector
from .pack import Member, _data_type, isParameterPack, members_of

SlicerParameterNamePropertyName = "SlicerParameterName"


def isParameterNodeWrapper(candidate: Any) -> bool:
    return bool(getattr(candidate, "_is_parameter_node_wrapper", False))


def parameterNodeWrapper(owner: Any = None) -> Any:
    """Turn the annotated members of a class into parameters of the node given to its constructor."""
    if owner is None:
        return parameterNodeWrapper
    members = members_of(owner)
    reserved = {name: function for name, function in vars(_Wrapper).items() if not name.startswith("__")}
    for name in [*members, *(name for name in vars(owner) if name in reserved)]:
        if name in reserved:
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
    for name, member in members.items():
        setattr(owner, name, _parameter_property(member))
    for name, function in reserved.items():
        setattr(owner, name, function)
    owner.__init__ = _Wrapper.__init__
    owner.__setattr__ = _Wrapper.__setattr__
    owner.allParameters = members
    owner.dataType = classmethod(_data_type)
    owner._is_parameter_node_wrapper = True
    return owner


def _parameter_property(member: Member) -> property:
    return property(
        lambda self: self._read(member),
        lambda self, value: member.serializer.write(self.parameterNode, self._prefix + member.name, value),
    )


class _Wrapper:
    """The methods that the decorator gives to a class."""

    parameterNode: Any
    allParameters: dict[str, Member]

    def __init__(self, parameterNode: Any, prefix: str | None = None) -> None:
        vars(self).update(
            parameterNode=parameterNode, _prefix=prefix or "", _guis={}, _next_tag=0, _updating=False,
        )  # fmt: skip
        for member in self.allParameters.values():
            if not member.serializer.is_in(parameterNode, self._prefix + member.name):
                member.serializer.write(parameterNode, self._prefix + member.name, member.default)

    def __setattr__(self, name: str, value: Any) -> None:
        # Slicer lets a misspelled parameter through as a plain attribute that is never saved.
        if name not in self.allParameters and name not in vars(self) and not name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no parameter '{name}'.")
        object.__setattr__(self, name, value)

    def _read(self, member: Member) -> Any:
        name = self._prefix + member.name
        if not member.serializer.is_in(self.parameterNode, name):
            member.serializer.write(self.parameterNode, name, member.default)
        return member.serializer.read(self.parameterNode, name)

    def _check(self, name: str) -> None:
        type(self).dataType(name)  # type: ignore[attr-defined]

    def default(self, name: str) -> Any:
        self._check(name)
        return self.allParameters[name].default

    def isCached(self, name: str) -> bool:
        self._check(name)
        return not isParameterPack(getattr(self, name))

    def getValue(self, name: str) -> Any:
        self._check(name)
        first, _, rest = name.partition(".")
        value = getattr(self, first)
        return value.getValue(rest) if rest else value

    def setValue(self, name: str, value: Any) -> None:
        self._check(name)
        first, _, rest = name.partition(".")
        if rest:
            getattr(self, first).setValue(rest, value)
        else:
            setattr(self, first, value)

    def connectGui(self, gui: Any) -> int:
        """Connect the widgets that carry a SlicerParameterName; returns a tag for disconnectGui.

        `gui` is a widget or what childWidgetVariables returned. Raises ValueError for an unknown parameter,
        RuntimeError for a widget that cannot show the parameter's type.
        """
        widgets = gui.findChildren("QWidget") if hasattr(gui, "findChildren") else vars(gui).values()
        named = {}
        for widget in widgets:
            name = widget.property(SlicerParameterNamePropertyName)
            if name:
                named[name] = widget
        return self.connectParametersToGui(named)

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        connectors = {}
        for name, widget in mapping.items():
            annotated = type(self).dataType(name)  # type: ignore[attr-defined]
            is_connector = isinstance(widget, GuiConnector)
            connectors[name] = widget if is_connector else create_connector(widget, annotated)
        tag = self._next_tag
        observer = self.AddObserver("ModifiedEvent", lambda caller, event: self._update_guis())
        vars(self)["_next_tag"] = tag + 1
        self._guis[tag] = (connectors, observer)
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(lambda name=name, connector=connector: self._on_widget_changed(name, connector))
        return tag

    def disconnectGui(self, tag: int) -> None:
        connectors, observer = self._guis.pop(tag, ({}, None))
        for connector in connectors.values():
            connector.onChanged(None)
        if observer is not None:
            self.RemoveObserver(observer)

    def _on_widget_changed(self, name: str, connector: GuiConnector) -> None:
        if not self._updating:
            with slicer.util.NodeModify(self.parameterNode):
                self.setValue(name, connector.read())

    def _update_guis(self) -> None:
        if self._updating:
            return
        vars(self)["_updating"] = True
        try:
            for connectors, _ in list(self._guis.values()):
                for name, connector in connectors.items():
                    connector.write(self.getValue(name))
        finally:
            vars(self)["_updating"] = False

    def StartModify(self) -> Any:
        return self.parameterNode.StartModify()

    def EndModify(self, was_modifying: Any) -> Any:
        return self.parameterNode.EndModify(was_modifying)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> Any:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: Any) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()
