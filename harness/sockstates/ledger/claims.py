"""What an article claims, and with what verdict: the ledger's words. Pure data; it judges nothing.

A claim is one thing that an article says can be seen. Its verdict comes from runs: scenarios that
show it (`pytest.mark.claims("T7")`), scenarios that show it does not hold as written
(`holds=False`), or both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, get_args

Verdict = Literal["holds", "holds under a condition", "false here"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
HOLDS, CONDITION, FALSE = VERDICTS


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    says: it, in one sentence. verdict: what runs gave. condition: when it holds, where that
    depends. instead: what happens where it does not hold. source: where the article says so.
    """

    id: str
    says: str
    verdict: Verdict
    condition: str = ""
    instead: str = ""
    source: str = ""

    @property
    def verdict_text(self) -> str:
        """The verdict with its condition, and with what happens otherwise."""
        return verdict_text(self.verdict, self)


@dataclass(frozen=True, slots=True)
class Article:
    """What makes the claims. name: of its file, without its ending."""

    name: str
    title: str
    about: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The claims of some articles. No two have the same id."""

    articles: tuple[Article, ...] = ()

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All, in the order of articles and of their files."""
        return tuple(claim for article in self.articles for claim in article.claims)

    @property
    def sentences(self) -> Mapping[str, str]:
        """What each claim says, by its id."""
        return {claim.id: claim.says for claim in self.claims}

    def unknown(self, ids: Iterable[str]) -> str | None:
        """What is wrong with the first id that is no claim's; None: all are."""
        known = self.sentences
        wrong = next((each for each in ids if each not in known), None)
        if wrong is None:
            return None
        names = ", ".join(article.name for article in self.articles)
        return f"there is no claim {wrong!r} in the ledger ({names})" + nearest(wrong, known)


def verdict_text(verdict: Verdict, claim: Claim) -> str:
    """A verdict on a claim with the words that its entry has for it."""
    if verdict == CONDITION and claim.condition:
        return f"holds under a condition: {claim.condition}. Otherwise: {claim.instead}"
    if verdict == FALSE and claim.instead:
        return f"false here. Instead: {claim.instead}"
    return verdict


def nearest(wrong: str, known: Iterable[str]) -> str:
    """``; did you mean 'T7'?`` where something known is similar, empty where nothing is."""
    known = list(known)
    alike = get_close_matches(wrong, known, n=1) or [
        each for each in known if each.casefold() == wrong.casefold()
    ]
    return f"; did you mean {alike[0]!r}?" if alike else ""


def by_number(claim: str) -> tuple[str, int, str]:
    """A key that sorts T9 before T10."""
    letters = claim.rstrip("0123456789")
    number = claim[len(letters) :]
    return letters, int(number) if number else 0, claim
