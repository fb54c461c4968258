"""The catalogue as a page for people: Markdown that reads well on a code forge and as plain text.

Made from what the scenarios' markers say, the same on every machine. Pure.
"""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sockstates.catalogue import SYMPTOMS
from sockstates.catalogue.duration import Ask, duration_text
from sockstates.catalogue.entries import Entry, Facts
from sockstates.catalogue.introduction import INTRODUCTION
from sockstates.catalogue.phenomena import PHENOMENA
from sockstates.catalogue.settings import is_name, short
from sockstates.tcp.states import State

WIDTH = 88
LETTERS = " bcdefghijklmnopqrstuvwxyz"
"""Behind a number that stands on the page a second time, and so on: another symptom's."""


class Chapter:
    """A number, or several that are one, under one symptom: its heading and its entries."""

    def __init__(self, labels: Sequence[str], entries: Sequence[Entry]) -> None:
        self.labels = labels
        self.entries = sorted(entries, key=lambda each: (each.file, each.test, each.variant))
        names = "; ".join(PHENOMENA[number] for number in entries[0].facts.numbers)
        self.heading = f"{' and '.join(labels)}. {names}"

    @property
    def anchor(self) -> str:
        """What a forge makes of the heading, for links to it."""
        kept = re.sub(r"[^\w\- ]", "", self.heading.lower())
        return re.sub(r"[ -]+", "-", kept)


def catalogue_page(entries: Iterable[Entry], ask: Ask) -> str:
    """The whole page. ask: what the predictor answers to the arguments of an entry."""
    by_symptom = _chapters(entries)
    chapters = [each for found in by_symptom.values() for each in found]
    blocks = [INTRODUCTION.strip(), *_count(chapters), "## By what you see", *_contents(by_symptom)]
    for symptom, found in by_symptom.items():
        blocks.append(f"## {_heading(symptom)}")
        for chapter in found:
            blocks.append(f"### {chapter.heading}")
            for variants in _variants(chapter.entries):
                blocks += _entry(variants, ask)
    blocks += ["## By number", _by_number(chapters)]
    for what, words in _indices(chapters).items():
        if words:
            blocks += [f"## By {what}", "\n".join(_index_line(*each) for each in words.items())]
    links = {label: each.anchor for each in chapters for label in each.labels}
    blocks.append("\n".join(f"[{label}]: #{anchor}" for label, anchor in links.items()))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _chapters(entries: Iterable[Entry]) -> dict[str, list[Chapter]]:
    """Symptom -> its chapters by number; symptoms in their order, those without any left out."""
    grouped: dict[str, dict[tuple[int, ...], list[Entry]]] = {each: {} for each in SYMPTOMS}
    for entry in entries:
        grouped[entry.facts.symptom].setdefault(entry.facts.numbers, []).append(entry)
    times: dict[int, int] = defaultdict(int)
    found: dict[str, list[Chapter]] = {}
    for symptom, groups in grouped.items():
        for numbers, members in sorted(groups.items()):
            labels = [f"{number}{LETTERS[times[number]].strip()}" for number in numbers]
            for number in numbers:
                times[number] += 1
            found.setdefault(symptom, []).append(Chapter(labels, members))
    return found


def _heading(symptom: str) -> str:
    sentence = SYMPTOMS[symptom]
    return sentence[0].upper() + sentence[1:]


def _count(chapters: Sequence[Chapter]) -> Iterator[str]:
    shown = {
        number for each in chapters for entry in each.entries for number in entry.facts.numbers
    }
    missing = [number for number in PHENOMENA if number not in shown]
    if missing:
        yield _folded(
            f"Phenomena with an entry: {len(shown)} of {len(PHENOMENA)}. Without one yet: "
            f"{_ranges(missing)}."
        )
    else:
        yield _folded(f"All {len(PHENOMENA)} phenomena have an entry.")


def _contents(by_symptom: Mapping[str, Sequence[Chapter]]) -> Iterator[str]:
    lines = []
    for symptom, chapters in by_symptom.items():
        labels = [label for each in chapters for label in each.labels]
        lines.append(_item(f"{SYMPTOMS[symptom]}: {_links(labels)}"))
    yield "\n".join(lines)


def _variants(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Entries of one function and with one title together: they differ by its parameter."""
    found: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        found.setdefault((entry.title, entry.file, entry.test), []).append(entry)
    return list(found.values())


def _entry(variants: Sequence[Entry], ask: Ask) -> Iterator[str]:
    first = variants[0]
    yield _folded(f"**{_plain(first.title)}**")
    told = [(entry.variant, _told(entry.facts, ask)) for entry in variants]
    lines = [f"{label}: {text}" for label, text in _together(told) if text]
    lines.append(f"recipe: [{first.file}]({first.file}), `{first.test}`")
    yield "\n".join(_item(line) for line in lines)


def _together(told: Sequence[tuple[str, Mapping[str, str]]]) -> Iterator[tuple[str, str]]:
    """What all variants say once; where they differ, each behind its parameter."""
    for label in told[0][1]:
        texts = {variant: facts[label] or "nothing" for variant, facts in told}
        if len(set(texts.values())) == 1:
            yield label, told[0][1][label]
        else:
            yield label, "; ".join(f"`{variant}` {text}" for variant, text in texts.items())


def _told(facts: Facts, ask: Ask) -> dict[str, str]:
    """Label -> what an entry says there, perhaps nothing."""
    ends = [
        f"{end} {', then '.join(states)}"
        for end, states in (("client", facts.client), ("server", facts.server))
        if states
    ]
    took = duration_text(facts.predict, ask) if facts.predict else ""
    return {
        "states": "; ".join(ends),
        "the program gets": ", ".join(facts.errors),
        "lasts": ", ".join(part for part in (took, facts.lasts) if part),
        "changed by": ", ".join(_setting(name) for name in facts.settings),
    }


def _by_number(chapters: Sequence[Chapter]) -> str:
    labels: dict[int, list[str]] = defaultdict(list)
    for chapter in chapters:
        for number, label in zip(chapter.entries[0].facts.numbers, chapter.labels, strict=True):
            labels[number].append(label)
    return "\n".join(
        _item(
            f"{_links(labels[number])} {name}"
            if number in labels
            else f"{number} {name}: no entry yet"
        )
        for number, name in PHENOMENA.items()
    )


def _indices(chapters: Sequence[Chapter]) -> dict[str, dict[str, list[str]]]:
    """What can be looked up -> word -> labels of chapters."""
    states: dict[str, list[str]] = {_sockets(state): [] for state in State}
    errors: dict[str, list[str]] = defaultdict(list)
    settings: dict[str, list[str]] = defaultdict(list)
    for chapter in chapters:
        for facts in (entry.facts for entry in chapter.entries):
            for state in (*facts.client, *facts.server):
                states[_sockets(state)] += chapter.labels
            for name in facts.errors:
                errors[name] += chapter.labels
            for name in filter(is_name, facts.settings):
                settings[_setting(name)] += chapter.labels
    return {
        "state": {word: labels for word, labels in states.items() if labels},
        "errno": dict(sorted(errors.items())),
        "setting": dict(sorted(settings.items())),
    }


def _sockets(state: State) -> str:
    return "no socket (CLOSED)" if state is State.CLOSED else f"sockets in {state}"


def _index_line(word: str, labels: Sequence[str]) -> str:
    return _item(f"{word}: {_links(sorted(set(labels), key=_by_label))}")


def _by_label(label: str) -> tuple[int, str]:
    number = re.match(r"\d+", label)
    return (int(number[0]) if number else 0), label


def _links(labels: Iterable[str]) -> str:
    return ", ".join(f"[{label}]" for label in labels)


def _ranges(numbers: Sequence[int]) -> str:
    """``1, 3-5, 8``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][-1] == number - 1:
            found[-1].append(number)
        else:
            found.append([number])
    return ", ".join(
        f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in found
    )


def _setting(text: str) -> str:
    return f"`{short(text)}`" if is_name(text) else _plain(text)


def _plain(text: str) -> str:
    """Text in which a forge finds no markup of its own."""
    return re.sub(r"([*<\[\]`\\])", r"\\\1", text)


def _folded(text: str, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _item(text: str) -> str:
    return _folded(text, "- ", "  ")
