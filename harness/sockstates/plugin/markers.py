"""The markers of scenarios: what they take, checked when scenarios are collected.

A wrong argument is an error of the scenario's file, said in one message, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

from sockstates.lab.kernel_parts import KERNEL_PARTS
from sockstates.lab.lab import Lab
from sockstates.lab.withholding import Cause
from sockstates.plugin.entries import problems_of_entry
from sockstates.programs import intended_program
from sockstates.sandbox.network.settings import PINNED
from sockstates.sandbox.network.topology import ROUTER, Family, TopologyError, check_names
from sockstates.tcp.limits import DEFAULTS, LONGEST_BY

FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")

MARKERS = (
    "claims(*ids, holds=True): the claims of an article that this scenario shows; with holds=False "
    "it shows that they do not hold as they are written, and what happens instead",
    "families(*names): run for these address families only (ipv4, ipv6)",
    "topology(hosts=(…), router=True, loopback=True): other hosts than client and server, a router "
    "between them, loopback captured too",
    "cause(call, occurrence=N, without=…, instead=…, stands_for=…): the call that is the cause of "
    "what this scenario shows, host and verb (client.iptables), or the part of it that is: an "
    "argument's name or some words, left out or replaced; --lab-without-cause withholds it",
    "programs(*names): the programs that this scenario runs, and no other; skipped where one is "
    "missing",
    "kernel(*names): what this scenario needs of the kernel (netem, …); skipped where it has not, "
    "also with --lab-require, because no package brings it: --lab-virtual runs it",
    "shortened(host={setting: value, …}): settings of a host that only make this scenario shorter, "
    "written when its lab opens; --lab-defaults leaves them out",
    "phenomenon(*numbers, symptom=…, client=…, server=…, errno=…, predict=…, lasts=…, "
    "settings=(…)): an entry of the catalogue of timeouts: what a person sees, the states of both "
    "ends, what the program gets, how long it takes and what changes that",
)
TWO_HOSTS = ("client", "server")
"""The hosts of a lab whose scenario wishes no others."""

_TOPOLOGY: Mapping[str, type] = {"hosts": tuple, "router": bool, "loopback": bool}


class WrongMarkerError(ValueError):
    """A marker has arguments that it does not take."""


def problem_of(marks: Iterable[pytest.Mark]) -> str | None:
    """What is wrong with the first of our markers that is not written right; None: nothing."""
    marks = list(marks)
    try:
        for mark in (*marks, *_of_parameters(marks)):
            checker = _CHECKERS.get(mark.name)
            if checker is not None:
                checker(mark)
        claims_of(marks)
        _check_hosts(marks)
    except WrongMarkerError as error:
        return str(error)
    return None


def _of_parameters(marks: Iterable[pytest.Mark]) -> Iterator[pytest.Mark]:
    """The markers that single parameters of a scenario have (``pytest.param(…, marks=…)``)."""
    for mark in marks:
        if mark.name == "parametrize" and isinstance(mark.args[-1], list | tuple):
            for values in mark.args[-1]:
                yield from (getattr(each, "mark", each) for each in getattr(values, "marks", ()))


def claims_of(marks: Iterable[pytest.Mark]) -> dict[str, bool]:
    """The claims that a scenario's markers name; True: it shows that they hold as written.

    Raises WrongMarkerError where the same claim is said to hold and not to hold.
    """
    found: dict[str, bool] = {}
    for mark in marks:
        if mark.name != "claims":
            continue
        holds = bool(mark.kwargs.get("holds", True))
        for claim in mark.args:
            if found.setdefault(claim, holds) is not holds:
                raise _wrong(
                    mark,
                    f"another marker of this scenario says the contrary of {claim!r}: one run "
                    "cannot show both, so make two scenarios",
                    'claims("T7", holds=False)',
                )
    return found


def topology_wishes(mark: pytest.Mark | None) -> dict[str, Any]:
    """The marker's arguments as those of :func:`sockstates.lab.open_lab`."""
    if mark is None:
        return {}
    wishes = dict(mark.kwargs)
    if "loopback" in wishes:
        wishes["capture_loopback"] = wishes.pop("loopback")
    return wishes


def shortened_by(marks: Iterable[pytest.Mark]) -> dict[str, dict[str, int]]:
    """Host -> setting -> value, of all markers `shortened`; the first one, the nearest, counts."""
    found: dict[str, dict[str, int]] = {}
    for mark in marks:
        if mark.name == "shortened":
            for host, settings in mark.kwargs.items():
                found[host] = {**settings, **found.get(host, {})}
    return found


def declared_programs(marks: Iterable[pytest.Mark]) -> frozenset[str]:
    """The programs that markers `programs` name."""
    return frozenset(name for mark in marks if mark.name == "programs" for name in mark.args)


def cannot_run(config: pytest.Config, reason: str) -> BaseException:
    """What to raise where this machine lacks something: a skip, unless everything is required."""
    if config.getoption("lab_require"):
        return pytest.fail.Exception(reason, pytrace=False)
    return pytest.skip.Exception(reason)


def lacking(lab: Lab, marks: Iterable[pytest.Mark]) -> str:
    """What the kernel lacks of what markers `kernel` name, with the ways out; empty: nothing."""
    names = (name for mark in marks if mark.name == "kernel" for name in mark.args)
    return next(filter(None, (KERNEL_PARTS[name](lab) for name in names)), "")


def cause_of(mark: pytest.Mark | None) -> Cause | None:
    """The cause that the marker names."""
    if mark is None:
        return None
    parts = {each: mark.kwargs[each] for each in _PARTS_OF_CAUSE if each in mark.kwargs}
    return Cause.read(mark.args[0], **parts)


def _wrong(mark: pytest.Mark, problem: str, example: str) -> WrongMarkerError:
    words = [repr(each) for each in mark.args]
    words += [f"{name}={value!r}" for name, value in mark.kwargs.items()]
    return WrongMarkerError(
        f"pytest.mark.{mark.name}({', '.join(words)}): {problem}\n"
        f"  write it like this: pytest.mark.{example}"
    )


def _check_words(mark: pytest.Mark, what: str, example: str, *keywords: str) -> None:
    if not mark.kwargs.keys() <= set(keywords) or not mark.args:
        besides = "".join(f", {name}=…" for name in keywords)
        raise _wrong(mark, f"it takes {what}, one or more{besides}, and nothing else", example)
    for each in mark.args:
        if not isinstance(each, str) or not each.strip():
            raise _wrong(mark, f"{each!r} is not one of {what}", example)


def _check_claims(mark: pytest.Mark) -> None:
    example = 'claims("T27")'
    _check_words(mark, "the ids of claims", example, "holds")
    for claim in mark.args:
        if claim != claim.strip():
            raise _wrong(mark, f"{claim!r} has spaces around it", example)
    holds = mark.kwargs.get("holds", True)
    if not isinstance(holds, bool):
        example = 'claims("T7", holds=False)'
        raise _wrong(mark, f"holds is True or False, not {holds!r}", example)


def _check_programs(mark: pytest.Mark) -> None:
    _check_words(mark, "the names of programs", 'programs("nc", "tcpdump")')
    for name in mark.args:
        intended = intended_program(name)
        if intended is not None:
            names = ", ".join(f'"{each if each != name else intended}"' for each in mark.args)
            raise _wrong(
                mark, f"{name!r} is not installed, nor known: {intended!r} is", f"programs({names})"
            )


def _check_kernel(mark: pytest.Mark) -> None:
    example = 'kernel("netem")'
    _check_words(mark, "what a kernel can lack", example)
    for name in mark.args:
        if name not in KERNEL_PARTS:
            raise _wrong(mark, f"{name!r} is none of {', '.join(KERNEL_PARTS)}", example)


def _check_families(mark: pytest.Mark) -> None:
    example = 'families("ipv4")'
    _check_words(mark, "the names of address families", example)
    for name in mark.args:
        if name not in FAMILIES:
            raise _wrong(mark, f"{name!r} is none of {', '.join(FAMILIES)}", example)


def _check_topology(mark: pytest.Mark) -> None:
    example = 'topology(hosts=("client", "server", "other"), router=True)'
    if mark.args or not mark.kwargs:
        raise _wrong(mark, f"it takes {', '.join(_TOPOLOGY)}, by name", example)
    for name, value in mark.kwargs.items():
        if name not in _TOPOLOGY:
            raise _wrong(mark, f"there is no {name!r}, only {', '.join(_TOPOLOGY)}", example)
        if not isinstance(value, _TOPOLOGY[name]):
            raise _wrong(mark, f"{name} is a {_TOPOLOGY[name].__name__}, not {value!r}", example)
    if "hosts" in mark.kwargs:
        try:
            check_names(mark.kwargs["hosts"])
        except (TopologyError, TypeError) as error:
            raise _wrong(mark, str(error), example) from None


def _check_cause(mark: pytest.Mark) -> None:
    example = 'cause("client.iptables")'
    known: Mapping[str, tuple[type, str]] = {
        "occurrence": (int, "a number"),
        "without": (str, "an argument's name or words of the call"),
        "instead": (object, "a value"),
        "stands_for": (str, "a sentence"),
    }
    if len(mark.args) != 1 or not isinstance(mark.args[0], str):
        raise _wrong(mark, "it takes one call, a host and a verb", example)
    for name, value in mark.kwargs.items():
        if name not in known:
            raise _wrong(mark, f"there is no {name!r}, only {', '.join(known)}", example)
        kind, called = known[name]
        if not isinstance(value, kind) or (value == "" and name != "instead"):
            raise _wrong(mark, f"{name} is {value!r}, not {called}", example)
    try:
        cause_of(mark)
    except ValueError as error:
        raise _wrong(mark, str(error), example) from None


def _check_shortened(mark: pytest.Mark) -> None:
    if mark.args or not mark.kwargs:
        raise _wrong(mark, "it takes hosts by name, each with its settings", _SHORTENED)
    for host, settings in mark.kwargs.items():
        if not isinstance(settings, Mapping) or not settings:
            raise _wrong(mark, f"{host} has no settings with values: {settings!r}", _SHORTENED)
        for name, value in settings.items():
            problem = _not_shorter(name, value)
            if problem:
                raise _wrong(mark, f"{host}: {problem}", _SHORTENED)


def _not_shorter(name: object, value: object) -> str:
    """Why this value of a setting makes no scenario shorter; empty where it does."""
    if name not in LONGEST_BY or not isinstance(name, str):
        return f"{name!r} is none of the settings of a timer: {', '.join(LONGEST_BY)}"
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return f"{name} is {value!r}, not a whole number"
    longest = LONGEST_BY[name]
    defaults = {each: str(usual) for each, usual in PINNED.items()}
    if longest({**defaults, name: str(value)}) >= longest(defaults):
        usual = PINNED.get(name, DEFAULTS.get(name))
        return f"with {name} {value} nothing is shorter than with the default, {usual}"
    return ""


def _check_phenomenon(mark: pytest.Mark) -> None:
    problem = next(problems_of_entry(mark.args, mark.kwargs), None)
    if problem:
        raise _wrong(mark, problem, _PHENOMENON)


def _check_hosts(marks: Iterable[pytest.Mark]) -> None:
    """Have `shortened` name only hosts of the lab that the scenario asks for."""
    wishes: dict[str, Any] = {}
    shortened = []
    for mark in marks:
        if mark.name == "topology":
            wishes = wishes or dict(mark.kwargs)
        elif mark.name == "shortened":
            shortened.append(mark)
    hosts = (*wishes.get("hosts", TWO_HOSTS), ROUTER)
    for mark in shortened:
        for host in mark.kwargs.keys() - set(hosts):
            raise _wrong(mark, f"{host!r} is not a host of its lab: {', '.join(hosts)}", _SHORTENED)


_PHENOMENON = (
    'phenomenon(2, symptom="connect hangs", client="SYN_SENT", errno="ETIMEDOUT", predict="syn")'
)
_PARTS_OF_CAUSE = ("occurrence", "without", "instead")
_SHORTENED = 'shortened(client={"net.ipv4.tcp_syn_retries": 1})'
_CHECKERS: Mapping[str, Callable[[pytest.Mark], None]] = {
    "cause": _check_cause,
    "claims": _check_claims,
    "families": _check_families,
    "kernel": _check_kernel,
    "phenomenon": _check_phenomenon,
    "programs": _check_programs,
    "shortened": _check_shortened,
    "topology": _check_topology,
}
