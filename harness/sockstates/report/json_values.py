"""Plain data as JSON can hold it, and back by the types that the data's classes declare.

An address is ``["10.0.0.1", 80]``, a state its name, bytes are ``{"octets": "text"}`` with a
character for each byte (ISO 8859-1), a data class is an object of its public fields. The module
never reads or writes a file.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Iterable
from typing import Any

OCTETS = "octets"
_SEQUENCES = {tuple: tuple, list: list, frozenset: frozenset}


class ValueRefused(ValueError):
    """A value is not one of its field's type; the message says which value and what is expected."""


@functools.cache
def public_fields(kind: type) -> dict[str, Any]:
    """The public fields of a data class with their types, in the order of the class."""
    hints = typing.get_type_hints(kind)
    names = (field.name for field in dataclasses.fields(kind))
    return {name: hints[name] for name in names if not name.startswith("_")}


def to_json(value: object) -> Any:
    """`value` as JSON can hold it. What is no plain data is written as Python would show it."""
    made: Any = value
    match value:
        case enum.Enum():
            made = value.value
        case None | bool() | int() | float() | str():
            pass
        case bytes():
            made = {OCTETS: value.decode("latin-1")}
        case frozenset():
            made = sorted(map(to_json, value))
        case tuple() | list():
            made = [to_json(each) for each in value]
        case dict():
            made = {str(key): to_json(each) for key, each in value.items()}
        case _ if dataclasses.is_dataclass(value):
            names = public_fields(value.__class__)
            made = {name: to_json(getattr(value, name)) for name in names}
        case _:
            made = repr(value)
    return made


def from_json(kind: Any, value: Any) -> Any:
    """What `to_json` made of a value of this type. Raises ValueRefused for anything else."""
    if kind is Any:
        return value  # somebody else reads it
    if kind is object:
        return _untyped(value)
    if kind is bytes:
        return _octets(value)
    if isinstance(kind, type) and not typing.get_origin(kind):
        return _of_class(kind, value)
    return _of_form(kind, value)


def object_from_json(kind: type, value: dict[str, Any]) -> Any:
    """An object of this data class from its fields. Raises ValueRefused with the field's name.

    A field that is not there keeps its default: the class had no such field when it was written.
    """
    fields = public_fields(kind)
    unknown = [name for name in value if name not in fields]
    if unknown:
        raise ValueRefused(f"{kind.__name__} has no field {unknown[0]!r}")
    given: dict[str, Any] = {}
    for name, each in value.items():
        try:
            given[name] = from_json(fields[name], each)
        except ValueRefused as error:
            raise ValueRefused(f"field {name!r}: {error}") from None
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueRefused(f"{kind.__name__}: {error}") from None


def _of_class(kind: type, value: Any) -> Any:
    """A value of a class that takes no parameters."""
    if issubclass(kind, enum.Enum):
        try:
            return kind(value)
        except ValueError:
            raise ValueRefused(f"{value!r} is none of {', '.join(map(str, kind))}") from None
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return object_from_json(kind, value)
    if issubclass(kind, tuple):
        types_of_parts = typing.get_type_hints(kind).values()
        return kind(*_parts(types_of_parts, value))
    if type(value) is not kind:
        raise ValueRefused(f"{value!r} is not of type {kind.__name__}")
    return value


def _of_form(kind: Any, value: Any) -> Any:
    """A value of a union, a sequence, a mapping or a choice of words."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _of_union(inside, value)
    if origin is typing.Literal and value in inside:
        return value
    if origin in _SEQUENCES and isinstance(value, list):
        if origin is tuple and inside[-1] is not ...:
            return tuple(_parts(inside, value))
        return _SEQUENCES[origin](from_json(inside[0], each) for each in value)
    if origin is dict and isinstance(value, dict):
        return {key: from_json(inside[1], each) for key, each in value.items()}
    raise ValueRefused(f"{value!r} is not of type {kind}")


def _of_union(choices: tuple[Any, ...], value: Any) -> Any:
    reasons = []
    for each in choices:
        try:
            return from_json(each, value)
        except ValueRefused as error:
            reasons.append(str(error))
    raise ValueRefused(reasons[0])


def _parts(kinds: Iterable[Any], value: Any) -> list[Any]:
    kinds = list(kinds)
    if not isinstance(value, list) or len(value) != len(kinds):
        raise ValueRefused(f"{value!r} is not a list of {len(kinds)}")
    return [from_json(kind, each) for kind, each in zip(kinds, value, strict=True)]


def _octets(value: Any) -> bytes:
    match value:
        case {"octets": str(text)} if len(value) == 1:
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError:
                raise ValueRefused(f"{text!r} has characters that are no octets") from None
    raise ValueRefused(f'{value!r} is not of the form {{"octets": "text"}}')


def _untyped(value: Any) -> Any:
    """What no type describes, a call's result: a sequence is a tuple then."""
    match value:
        case {"octets": str()} if len(value) == 1:
            return _octets(value)
        case list():
            return tuple(map(_untyped, value))
        case dict():
            return {key: _untyped(each) for key, each in value.items()}
    return value
