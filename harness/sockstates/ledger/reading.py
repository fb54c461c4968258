"""Reads the ledger: a TOML file for each article, and says what is wrong with one in one message.

    [article]
    title = "…"
    about = "…"

    [[claim]]
    id = "T7"
    says = "one sentence"
    verdict = "holds under a condition"
    condition = "when it holds"            # with this verdict only
    instead = "what happens otherwise"     # with this verdict, and with "false here"
    source = "section 3"                   # where one wants to say so

It opens no other files, and knows nothing of scenarios.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from sockstates.ledger.claims import CONDITION, FALSE, VERDICTS, Article, Claim, Ledger, nearest

TABLES = ("article", "claim")
ARTICLE_KEYS = ("title", "about")
CLAIM_KEYS = ("id", "says", "verdict", "condition", "instead", "source")
NEEDED = ("id", "says", "verdict")
ENTRY = "[[claim]]"


class LedgerError(ValueError):
    """The ledger cannot be read; each line of the message says what is wrong with one entry."""


def read_ledger(folders: Iterable[Path]) -> Ledger:
    """The articles of every ``*.toml`` in these folders, by name; LedgerError names all faults."""
    paths = [path for folder in folders for path in sorted(folder.glob("*.toml"))]
    problems: list[str] = []
    articles: list[Article] = []
    for path in paths:
        tables = _tables(path, problems)
        found = [f"{path}: {problem}" for problem in _problems(tables)]
        problems += found
        if not found:
            articles.append(_article(path, tables))
    problems += _duplicates(zip(paths, articles, strict=True)) if not problems else []
    if problems:
        raise LedgerError("\n".join(problems))
    return Ledger(tuple(articles))


def _tables(path: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: it is not TOML: {error}")
    except OSError as error:
        problems.append(f"{path}: it cannot be read: {error.strerror}")
    return {"article": {"title": path.stem}}


def _problems(tables: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(tables, TABLES, "the file")
    article, claims = tables.get("article"), tables.get("claim", [])
    if not isinstance(article, dict):
        yield 'it needs a table [article] with a title: title = "…"'
    else:
        yield from _unknown(article, ARTICLE_KEYS, "[article]")
        yield from _texts(article, ("title",), "[article]")
    if not isinstance(claims, list):
        yield f"claims are a list: write {ENTRY}, with two brackets, above each"
        return
    for number, claim in enumerate(claims, start=1):
        if isinstance(claim, dict):
            yield from _claim_problems(claim, number)
        else:
            yield f"claim number {number} is not a table: write {ENTRY} above it"


def _claim_problems(claim: Mapping[str, Any], number: int) -> Iterator[str]:
    where = f"claim {claim['id']}" if _is_text(claim.get("id")) else f"claim number {number}"
    yield from _unknown(claim, CLAIM_KEYS, where)
    faults = list(_texts(claim, NEEDED, where))
    yield from faults
    if faults:
        return
    if len(str(claim["id"]).split()) != 1:
        yield f"{where}: an id is one word"
    verdict = claim["verdict"]
    if verdict not in VERDICTS:
        allowed = ", ".join(map(repr, VERDICTS)) + nearest(verdict, VERDICTS)
        yield f"{where}: there is no verdict {verdict!r}, only {allowed}"
        return
    for key, fitting in (("condition", (CONDITION,)), ("instead", (CONDITION, FALSE))):
        if key in claim and verdict not in fitting:
            yield f"{where}: {key!r} goes with {' or '.join(map(repr, fitting))}, not {verdict!r}"
        if key not in claim and verdict in fitting:
            yield f"{where}: with the verdict {verdict!r} it needs {key!r}: {_MEANING[key]}"


_MEANING = {"condition": "when the claim holds", "instead": "what happens where it does not hold"}


def _unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> Iterator[str]:
    for key in table:
        if key not in known:
            yield f"{where}: there is no key {key!r}, only {', '.join(known)}{nearest(key, known)}"


def _texts(table: Mapping[str, Any], needed: tuple[str, ...], where: str) -> Iterator[str]:
    for key in needed:
        if key not in table:
            yield f'{where}: it needs {key!r}: {key} = "…"'
    for key, value in table.items():
        if (key in CLAIM_KEYS or key in ARTICLE_KEYS) and not _is_text(value):
            yield f"{where}: {key!r} is a text that is not empty, not {value!r}"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _article(path: Path, tables: Mapping[str, Any]) -> Article:
    claims = tuple(Claim(**cast(dict[str, Any], entry)) for entry in tables.get("claim", []))
    article = tables["article"]
    return Article(path.stem, article["title"], article.get("about", ""), claims)


def _duplicates(read: Iterable[tuple[Path, Article]]) -> Iterator[str]:
    seen: dict[str, Path] = {}
    for path, article in read:
        for claim in article.claims:
            if claim.id in seen:
                where = "twice in it" if seen[claim.id] == path else f"in {seen[claim.id]} too"
                yield f"{path}: claim {claim.id}: that id is {where}; each claim has its own"
            seen.setdefault(claim.id, path)
