"""Reads where this machine has its Debian packages from, and writes that for apt. Pure.

No mirror's name is known here: the machine's own is used, also for the releases that it does not
have in its sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

RELEASES = frozenset(
    {
        *("bullseye", "bookworm", "trixie", "forky", "duke", "sid"),
        *("oldoldstable", "oldstable", "stable", "testing", "unstable"),
    }
)
PARTS = ("", "-updates", "-security", "-backports")
"""A release's suites: itself, and what is added to it."""
NEWER_SUITES = ("trixie-backports", "stable-backports", "sid")
"""Where the newest kernels are."""
ARCHIVE_KEY = "debian-archive"
COMPONENT = "main"
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<rest>\S.*)")


@dataclass(frozen=True, slots=True)
class Source:
    """One place of packages: an address, its suites, and which key has signed them."""

    address: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = field(default="")

    def paragraph(self) -> str:
        """The source as apt reads it (sources.list(5), deb822 style)."""
        signed = f"Signed-By: {self.signed_by}\n" if self.signed_by else ""
        return (
            f"Types: deb\nURIs: {self.address}\nSuites: {' '.join(self.suites)}\n"
            f"Components: {COMPONENT}\n{signed}"
        )


def read_lines(text: str) -> Iterator[Source]:
    """The sources of a ``.list`` file: one a line."""
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if not match:
            continue
        address, *rest = match["rest"].split()
        if len(rest) < 2:
            continue
        options = dict(
            part.split("=", 1) for part in (match["options"] or "").split() if "=" in part
        )
        yield Source(address, (rest[0],), tuple(rest[1:]), options.get("signed-by", ""))


def read_paragraphs(text: str) -> Iterator[Source]:
    """The sources of a ``.sources`` file: one a paragraph of fields."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = _fields(paragraph)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled") == "no":
            continue
        for address in fields.get("uris", "").split():
            yield Source(
                address,
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                fields.get("signed-by", ""),
            )


def _fields(paragraph: str) -> dict[str, str]:
    """Field -> value. A value's further lines are kept as they are: they may be a key."""
    found: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line[:1].isspace() and name:
            found[name] += f"\n{line}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            found[name] = value.strip()
    return found


def of_debian(sources: Iterable[Source], codename: str) -> list[Source]:
    """Debian's own archive only, each source with its suites that are a Debian release's.

    Others name their suites as Debian does; they have other components, or sign with another key.
    """
    known = {f"{name}{part}" for name in RELEASES | {codename} for part in PARTS}
    found = []
    for source in sources:
        suites = tuple(suite for suite in source.suites if suite in known)
        foreign = source.signed_by and ARCHIVE_KEY not in source.signed_by
        inline = source.signed_by.lstrip().startswith("-----BEGIN")
        if suites and COMPONENT in source.components and (inline or not foreign):
            found.append(replace(source, suites=suites))
    return found


def with_newer(sources: list[Source], codename: str) -> list[Source]:
    """These sources, and the newer suites at the first address that has a whole release."""
    whole = RELEASES | {codename}
    base = next((each for each in sources if set(each.suites) & whole), None)
    if base is None:
        return sources
    present = {suite for each in sources for suite in each.suites}
    further = dict.fromkeys((f"{codename}-backports", *NEWER_SUITES) if codename else NEWER_SUITES)
    suites = tuple(suite for suite in further if suite not in present)
    return [*sources, replace(base, suites=suites)] if suites else sources
