"""What the marker of an entry of the catalogue may say: its words, checked before anything runs.

Whether its facts are true is for the evidence of a run to say (`sockstates.catalogue.facts`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stderr
from io import StringIO

import pytest

from sockstates.catalogue import SYMPTOMS
from sockstates.catalogue.duration import KERNEL, NEWEST
from sockstates.catalogue.entries import Facts, words
from sockstates.catalogue.phenomena import PHENOMENA
from sockstates.catalogue.settings import unknown_setting
from sockstates.commands.predict import prediction_of
from sockstates.tcp.states import State

KINDS: Mapping[str, type] = {
    **dict.fromkeys(("symptom", "client", "server", "errno", "predict", "lasts"), str),
    "settings": tuple,
}
"""Argument -> of which type it is."""


def facts_of(marks: Iterable[pytest.Mark]) -> list[Facts]:
    """What a scenario's markers ``phenomenon`` say."""
    return [Facts.of(mark.args, mark.kwargs) for mark in marks if mark.name == "phenomenon"]


def problems_of_entry(numbers: tuple[object, ...], said: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with the arguments of a marker ``phenomenon``, one after the other."""
    if not numbers or not all(type(each) is int and each in PHENOMENA for each in numbers):
        yield f"it takes numbers of the catalogue, {min(PHENOMENA)} to {max(PHENOMENA)}"
    for name, value in said.items():
        if name not in KINDS:
            yield f"there is no {name!r}, only {', '.join(KINDS)}"
        elif not isinstance(value, KINDS[name]) or not value:
            yield f"{name} is a {KINDS[name].__name__}, not {value!r}"
    if said.get("symptom") not in SYMPTOMS:
        yield f"symptom is one of {', '.join(SYMPTOMS)}"
    yield from _wrong_words(said)
    if "predict" in said:
        yield from _unpredictable(str(said["predict"]))


def _wrong_words(said: Mapping[str, object]) -> Iterator[str]:
    for end in ("client", "server"):
        for word in words(said.get(end, "")):
            if word not in State.__members__:
                yield f"{end}: {word} is not a state as psutil spells it"
    for word in words(said.get("errno", "")):
        if word not in errno.errorcode.values():
            yield f"errno: {word} is not the name of an errno"
    settings = said.get("settings", ())
    for name in settings if isinstance(settings, tuple) else ():
        problem = unknown_setting(str(name))
        if problem:
            yield f"settings: {problem}"


def _unpredictable(line: str) -> Iterator[str]:
    """Why the predictor has no answer to these arguments."""
    said = StringIO()
    try:
        with redirect_stderr(said):
            prediction_of(line if KERNEL in line else f"{line} {KERNEL} {NEWEST}")
    except ValueError as error:
        yield f"predict: {error}"
    except SystemExit:  # argparse's way to refuse arguments
        yield f"predict: {said.getvalue().strip().splitlines()[-1]}"
