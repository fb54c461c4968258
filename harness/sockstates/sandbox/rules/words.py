"""A line split into words the way a shell would, each word knowing where it stood. Pure.

``shlex`` is not used because it forgets the positions, and an error must point at its word.
"""

from dataclasses import dataclass

from sockstates.sandbox.rules.errors import RuleSyntaxError


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes, and the half-open place it had in the line."""

    text: str
    start: int
    end: int


def split_words(line: str) -> list[Word]:
    """Split at blanks; quotes and backslashes as in sh(1), without any expansion."""
    words: list[Word] = []
    place = 0
    while place < len(line):
        if line[place].isspace():
            place += 1
            continue
        word, place = _one_word(line, place)
        words.append(word)
    return words


def _one_word(line: str, start: int) -> tuple[Word, int]:
    text: list[str] = []
    place, quote = start, ""
    while place < len(line) and (quote or not line[place].isspace()):
        letter = line[place]
        if letter == "\\" and quote != "'" and place + 1 < len(line):
            following = line[place + 1]
            # Within double quotes a backslash is itself unless it takes away a meaning.
            keep = quote and following not in '"\\$`'
            text.append("\\" + following if keep else following)
            place += 2
            continue
        if letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
        else:
            text.append(letter)
        place += 1
    if quote:
        raise RuleSyntaxError(
            line, start, place, f"the quote {quote} is not closed", f"Close it with {quote}."
        )
    return Word("".join(text), start, place), place
