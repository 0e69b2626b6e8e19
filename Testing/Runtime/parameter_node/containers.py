"""Lists and dictionaries that write themselves back to the parameter node when they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from typing import Any


class ObservedList(MutableSequence[Any]):
    """A list read from a parameter node; every change is written there at once."""

    def __init__(self, items: list[Any], write: Callable[[list[Any]], None]) -> None:
        self._items, self._write = items, write

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._changed(lambda items: items.__setitem__(index, value))

    def __delitem__(self, index: Any) -> None:
        self._changed(lambda items: items.__delitem__(index))

    def insert(self, index: int, value: Any) -> None:
        self._changed(lambda items: items.insert(index, value))

    def _changed(self, change: Callable[[list[Any]], None]) -> None:
        # The node decides: a refused value must not stay in the list.
        items = list(self._items)
        change(items)
        self._write(items)
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == (other._items if isinstance(other, ObservedList) else other)

    def __add__(self, other: object) -> Any:
        raise NotImplementedError("Adding an ObservedList is not supported. However, += is supported.")

    def __repr__(self) -> str:
        return f"ObservedList({self._items})"


class ObservedDict(MutableMapping[Any, Any]):
    """A dictionary read from a parameter node; every change is written there at once."""

    def __init__(self, items: dict[Any, Any], write: Callable[[dict[Any, Any]], None]) -> None:
        self._items, self._write = items, write

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        changed = {**self._items, key: value}
        self._write(changed)
        self._items = changed

    def __delitem__(self, key: Any) -> None:
        changed = dict(self._items)
        del changed[key]
        self._write(changed)
        self._items = changed

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"ObservedDict({self._items})"
