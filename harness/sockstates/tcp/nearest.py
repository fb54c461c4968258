"""What somebody may have meant who typed a word that there is not."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 60
"""Characters: nobody meant a name who typed more."""


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Those of the known words that are the fewest slips away, all that are equally near.

    A slip is a letter too many, one too few, a wrong one, or two that changed places; upper and
    lower case are the same. A third of the letters may be wrong. None where nothing is so near.
    """
    if len(word) > LONGEST:
        return []
    slips = {each: distance(word.casefold(), each.casefold()) for each in dict.fromkeys(known)}
    least = min(slips.values(), default=len(word))
    return [each for each in slips if slips[each] == least <= (len(word) + 1) // 3]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``Did you mean FIN_WAIT1 or FIN_WAIT2? ``, or nothing; a space follows."""
    found = nearest(word, known)
    return f"Did you mean {' or '.join(found)}? " if found else ""


def distance(one: str, other: str) -> int:
    """How many slips lie between two words: the optimal string alignment distance."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and one[i - 2 : i] == wanted + other[j - 2] and letter != wanted:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]
