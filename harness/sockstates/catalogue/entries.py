"""An entry of the catalogue, as its scenario's marker says it. Pure: words in, words out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sockstates.tcp.states import State


@dataclass(frozen=True, slots=True)
class Facts:
    """What a marker says of its scenario.

    client, server: the states that the ends are seen in, in order. errors: names of errno that the
    program gets. predict: arguments of ``sockstates predict`` that give the duration;
    lasts: the duration in words, where no timer says it. settings: what changes it.
    """

    numbers: tuple[int, ...]
    symptom: str
    client: tuple[State, ...] = ()
    server: tuple[State, ...] = ()
    errors: tuple[str, ...] = ()
    predict: str = ""
    lasts: str = ""
    settings: tuple[str, ...] = ()

    @classmethod
    def of(cls, numbers: tuple[int, ...], said: Mapping[str, object]) -> Facts:
        """The facts of a marker whose form has been checked."""
        text = {name: str(said.get(name, "")) for name in ("symptom", "predict", "lasts")}
        settings = said.get("settings", ())
        return cls(
            numbers,
            client=tuple(State[word] for word in words(said.get("client", ""))),
            server=tuple(State[word] for word in words(said.get("server", ""))),
            errors=words(said.get("errno", "")),
            settings=tuple(settings) if isinstance(settings, tuple) else (),
            **text,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario's place in the catalogue.

    title: its first sentence. file: below the folder of scenarios. test: its function. variant:
    the parameter that it is for, where each has a marker of its own.
    """

    facts: Facts
    title: str
    file: str
    test: str
    variant: str = ""


def words(text: object) -> tuple[str, ...]:
    """The words of a list such as ``SYN_SENT, CLOSED``."""
    return tuple(str(text).replace(",", " ").split())
