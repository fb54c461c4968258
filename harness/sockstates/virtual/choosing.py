"""Which kernel is to be built, and where its source comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sockstates.virtual import kernels, trees
from sockstates.virtual.debian import (
    GIVE_A_SOURCE,
    Archive,
    Offer,
    debian_codename,
    machine_sources,
)
from sockstates.virtual.errors import SourceMissing
from sockstates.virtual.trees import Origin

NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Choice:
    """A version, and what gets its source; that may download into the folder it is given."""

    version: str
    origin: Callable[[Path], Origin]


def apt_folder() -> Path:
    """Where apt keeps what the archive has: 0.2 GB, gone when the last build is done."""
    return kernels.kernels_folder() / ".apt"


def archive() -> Archive:
    """Debian's archive as this machine reaches it. Raises SourceMissing."""
    return Archive(apt_folder(), machine_sources(), debian_codename())


def choose(version: str | None, source: Path | None, say: Callable[[str], None]) -> Choice:
    """The kernel to build. ``version`` may be "newest"; None is the newest of the own release.

    Raises SourceMissing when there is no such source, and says what there is.
    """
    if version not in (None, NEWEST) and not kernels.VERSION.fullmatch(version or ""):
        raise SourceMissing(
            f"`{version}` is not a version: write it like 6.12, or `{NEWEST}`.\n"
            "What there is: sockstates kernel list --available"
        )
    if source is not None:
        return _given(version, source)
    installed = trees.installed_tarballs()
    if version in installed:
        say(f"the source is installed: {installed[version]}")
        return _installed(version, installed[version])
    say("asking Debian's archive which kernel sources it has (through apt, without root)")
    asked = archive()
    offers = asked.offers()
    offer = pick(version, offers, set(installed))
    if offer is not None:
        return _from_archive(asked, offer, say)
    if version is None and installed:
        newest = max(installed, key=kernels.version_order)
        return _installed(newest, installed[newest])
    raise SourceMissing(no_such_source(version, offers, set(installed), asked.complaints))


def pick(version: str | None, offers: list[Offer], installed: set[str]) -> Offer | None:
    """The offer to take; None when there is none, or an installed source is as new."""
    if version is None:
        fitting = [offer for offer in offers if offer.own]
    elif version == NEWEST:
        fitting = offers
    else:
        fitting = [offer for offer in offers if offer.version == version]
    if not fitting:
        return None
    best = max(fitting, key=lambda each: kernels.version_order(each.version))
    return None if best.version in installed and version is None else best


def no_such_source(
    version: str | None, offers: list[Offer], installed: set[str], complaints: str
) -> str:
    """What to say when the wished-for source is nowhere."""
    known = sorted({offer.version for offer in offers} | installed, key=kernels.version_order)
    asked = f"of Linux {version}" if version not in (None, NEWEST) else "of a kernel"
    text = f"there is no source {asked} to be had; there are: {', '.join(known) or 'none'}."
    if complaints:
        text += f"\napt says:\n{complaints}"
    return f"{text}\n{GIVE_A_SOURCE}"


def _given(version: str | None, source: Path) -> Choice:
    found = trees.version_given(source)
    if version not in (None, NEWEST, found):
        raise SourceMissing(f"{source} is Linux {found}, not {version}: leave --version out")
    return Choice(found, lambda _: trees.given(source))


def _installed(version: str, tarball: Path) -> Choice:
    return Choice(version, lambda _: trees.from_tarball(tarball))


def _from_archive(asked: Archive, offer: Offer, say: Callable[[str], None]) -> Choice:
    def origin(folder: Path) -> Origin:
        say(f"fetching {offer.package} from {offer.suite}, about 0.15 GB, unless it lies there")
        return trees.from_package(asked.fetch(offer, folder), offer.version)

    return Choice(offer.version, origin)
