"""Reads one written line of an expectation; `notation` says what may be written.

A line is read from left to right, and the first word that cannot be read is pointed at. No text
raises anything but NotationError.
"""

import ipaddress
import re
from typing import Final

from sockstates.tcp.options import MODULUS, NAMES
from sockstates.tcp.pattern import ANYTHING, Endpoint, ExpectedOption, Gap, Line, Number
from sockstates.tcp.segment import FLAG_LETTERS, NO_FLAGS, order_flags

_LINE_EXAMPLE: Final = "client > server: Flags [S.], seq K, ack J+1, length 0"
_HOST_EXAMPLE: Final = "client, client.43210, 10.0.0.1, 10.0.0.1.43210 or fe80::1.43210"
_NUMBER_EXAMPLE: Final = "5, J, J+1 or _"
_FLAGS_EXAMPLE: Final = "Flags [S], Flags [F.], Flags [none] or Flags [_]"
_OPTIONS_EXAMPLE: Final = "options [mss 1460,sackOK,TS val T ecr _] or options []"

# What tcpdump prints before the addresses: -t… times, the interface with `-i any`, the protocol.
_PROLOGUE: Final = re.compile(
    r"(?:\d{4}-\d\d-\d\d\s+)?(?:\d{1,2}:\d\d:\d\d\.\d+\s+|\d+\.\d+\s+)?"
    r"(?:\S+\s+(?:In|Out|B|M|P)\s+(?=IP6?\s))?(?:IP6?\s+(?!>))?"
)
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_HOST: Final = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_PORT: Final = re.compile(r"\d{1,5}", re.ASCII)
_BRACKETS: Final = re.compile(r"\[([^\]]*)\]")
_LETTER: Final = re.compile(r"([A-Z]\w*)([+-]\d{1,10})?", re.ASCII)
_LITERAL: Final = re.compile(r"\d{1,10}", re.ASCII)
_OPTION_NAME: Final = re.compile(r"[^\s{}:]*")
_OPTION_WORD: Final = re.compile(r"[{}:]|[^\s{}:]+")
_ODD_OPTION: Final = re.compile(r"unknown-\d{1,3}|exp-[\w-]+", re.ASCII)

_FIELDS: Final = {
    "seq": ("sequence", MODULUS - 1),
    "ack": ("acknowledgement", MODULUS - 1),
    "win": ("window", 0xFFFF),
    "urg": ("urgent", 0xFFFF),
    "length": ("length", MODULUS - 1),
}


class NotationError(ValueError):
    """An expectation that cannot be read: which line, where, and what was expected instead.

    number counts the lines from 1, column the characters of `line` from 0.
    """

    def __init__(self, line: str, number: int, column: int, expected: str, example: str) -> None:
        self.line = line
        self.number = number
        self.column = column
        self.expected = expected
        self.example = example
        word = re.match(r"[^\s,\[\]]+", line[column:])
        caret = "^" * (word.end() if word else 1)
        super().__init__(
            f"line {number} of the expectation: expected {expected}\n"
            f"    {line}\n"
            f"    {' ' * column}{caret}\n"
            f"for example: {example}"
        )


def read_line(written: str, number: int) -> Line | Gap | None:
    """The line written; None when it is blank or a comment. Raises NotationError."""
    text = _COMMENT.sub("", written).strip()
    if not text:
        return None
    return Gap() if text == "..." else _Reader(text, number).line()


class _Reader:
    """One line, and how far it has been read."""

    def __init__(self, text: str, number: int) -> None:
        self.text = text
        self.number = number
        prologue = _PROLOGUE.match(text)
        self.position = prologue.end() if prologue else 0

    def error(self, expected: str, example: str, column: int | None = None) -> NotationError:
        """The error to raise, pointing at `column`, by default at where reading has come to."""
        at = self.position if column is None else column
        return NotationError(self.text, self.number, at, expected, example)

    def skip_spaces(self) -> None:
        while self.text[self.position : self.position + 1].isspace():
            self.position += 1

    def take(self, wanted: str) -> None:
        """Read exactly `wanted`, after any spaces."""
        self.skip_spaces()
        if not self.text.startswith(wanted, self.position):
            raise self.error(f'"{wanted}"', _LINE_EXAMPLE)
        self.position += len(wanted)

    def word(self, stop: str) -> str:
        """Read, after any spaces, up to a space or one of the characters in `stop`."""
        self.skip_spaces()
        start = self.position
        while self.text[self.position : self.position + 1] not in ("", *stop):
            if self.text[self.position].isspace():
                break
            self.position += 1
        return self.text[start : self.position]

    def line(self) -> Line:
        source = self.endpoint("a sending host")
        self.take(">")
        destination = self.endpoint("a receiving host", end=":")
        self.take(":")
        self.take("Flags")
        flags = self.flags()
        numbers, options = self.fields()
        return Line(source, destination, flags, options=options, **numbers)

    def endpoint(self, expected: str, end: str = "") -> Endpoint:
        self.skip_spaces()
        start = self.position
        written = self.word(stop="").removesuffix(end)
        self.position = start + len(written)
        found = _endpoint(written)
        if found is None:
            raise self.error(expected, _HOST_EXAMPLE, start)
        return found

    def flags(self) -> str:
        self.skip_spaces()
        found = _BRACKETS.match(self.text, self.position)
        if found is None:
            raise self.error('the flags in brackets after "Flags"', _FLAGS_EXAMPLE)
        written = found[1]
        self.position = found.end()
        if written in (ANYTHING, NO_FLAGS):
            return written
        if not written or set(written) - set(FLAG_LETTERS) or len(set(written)) < len(written):
            expected = f"letters of {FLAG_LETTERS}, each once, or none, or _"
            raise self.error(expected, _FLAGS_EXAMPLE, found.start(1))
        return order_flags(written)

    def fields(self) -> tuple[dict[str, Number], tuple[ExpectedOption, ...] | None]:
        """Everything after the flags."""
        numbers: dict[str, Number] = {}
        options: tuple[ExpectedOption, ...] | None = None
        self.skip_spaces()
        while self.position < len(self.text):
            self.take(",")
            self.skip_spaces()
            start = self.position
            word = self.word(stop=",:[]")
            if word == "options" and options is None:
                options = self.options()
            elif word in _FIELDS and _FIELDS[word][0] not in numbers:
                self.field(word, numbers)
            elif word in ("options", *_FIELDS):
                raise self.error(f'"{word}" only once', _LINE_EXAMPLE, start)
            else:
                raise self.error("seq, ack, win, urg, options or length", _LINE_EXAMPLE, start)
            self.skip_spaces()
        return numbers, options

    def field(self, word: str, numbers: dict[str, Number]) -> None:
        """The number of one field, and what belongs to it after a colon."""
        name, largest = _FIELDS[word]
        numbers[name] = self.number_up_to(largest, f'after "{word}"')
        if not self.text.startswith(":", self.position):
            return
        if word == "seq":
            self.position += 1
            numbers["sequence_end"] = self.number_up_to(largest, "after the colon")
        elif word == "length":  # tcpdump goes on with what it knows of the payload's protocol
            self.position = len(self.text)

    def number_up_to(self, largest: int, where: str) -> Number:
        self.skip_spaces()
        start = self.position
        number = _number(self.word(stop=",:[]"))
        if number is None:
            raise self.error(f"a number, a letter or _ {where}", _NUMBER_EXAMPLE, start)
        if number.letter is None and number.offset > largest:
            raise self.error(f"at most {largest} {where}", _NUMBER_EXAMPLE, start)
        return number

    def options(self) -> tuple[ExpectedOption, ...]:
        self.skip_spaces()
        found = _BRACKETS.match(self.text, self.position)
        if found is None:
            raise self.error('the options in brackets after "options"', _OPTIONS_EXAMPLE)
        self.position = found.end()
        if not found[1].strip():
            return ()
        options = []
        column = found.start(1)
        for written in found[1].split(","):
            options.append(self.option(written, column))
            column += len(written) + 1
        return tuple(options)

    def option(self, written: str, column: int) -> ExpectedOption:
        column += len(written) - len(written.lstrip())
        name, words = option_words(written)
        if name not in NAMES.values() and not _ODD_OPTION.fullmatch(name):
            known = ", ".join(NAMES.values())
            raise self.error(f"an option's name ({known})", _OPTIONS_EXAMPLE, column)
        return ExpectedOption(name, tuple(_number_or_word(word) for word in words))


def option_words(text: str) -> tuple[str, tuple[str, ...]]:
    """An option's name and its further words; braces and colons are words of their own."""
    text = text.strip()
    found = _OPTION_NAME.match(text)
    end = found.end() if found else 0
    return text[:end], tuple(_OPTION_WORD.findall(text[end:]))


def _number_or_word(word: str) -> Number | str:
    return word if _LITERAL.fullmatch(word) else _number(word) or word


def _number(word: str) -> Number | None:
    if word == ANYTHING:
        return Number(ANYTHING)
    if _LITERAL.fullmatch(word):
        return Number(None, int(word))
    found = _LETTER.fullmatch(word)
    return Number(found[1], int(found[2] or 0)) if found else None


def _endpoint(written: str) -> Endpoint | None:
    """The host, or the host and port, written; None when it is neither."""
    whole = _host(written)
    if whole is not None:
        return Endpoint(whole)
    host, _, port = written.rpartition(".")
    known = _host(host)
    if known is None or not _PORT.fullmatch(port) or int(port) > 0xFFFF:
        return None
    return Endpoint(known, int(port))


def _host(written: str) -> str | None:
    """A host's name, or an IP address in Python's spelling; None when it is neither."""
    if _HOST.fullmatch(written):
        return written
    try:
        return None if "%" in written else str(ipaddress.ip_address(written))
    except ValueError:
        return None
