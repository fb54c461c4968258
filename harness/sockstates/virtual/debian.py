"""Kernel sources from Debian's archive, through apt, without root and without touching the machine.

apt is given a configuration of its own below the cache folder; it checks the signatures as always.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sockstates.virtual.apt_sources import (
    Source,
    of_debian,
    read_lines,
    read_paragraphs,
    with_newer,
)
from sockstates.virtual.errors import SourceMissing
from sockstates.virtual.kernels import version_order

APT_FOLDER = Path("/etc/apt")
PACKAGE = re.compile(r"linux-source-(\d+\.\d+)")
PATIENCE = 1800
"""Seconds for one command of apt, at most: a package is 160 MB."""
GIVE_A_SOURCE = (
    "A kernel's tarball or tree from anywhere does as well: sockstates kernel build --source PATH"
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A kernel source that Debian's archive has: ``linux-source-<version>``."""

    version: str
    package_version: str
    suite: str
    own: bool
    """Whether the machine's own sources have it, too."""

    @property
    def package(self) -> str:
        """The package as apt-get takes it, with its version."""
        return f"linux-source-{self.version}={self.package_version}"


def machine_sources(folder: Path = APT_FOLDER) -> list[Source]:
    """Where the machine has its packages from, of Debian's archive or not."""
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    found: list[Source] = []
    for path in lists:
        try:
            text = path.read_text()
        except OSError:
            continue
        if path.suffix == ".list":
            found += read_lines(text)
        elif path.suffix == ".sources":
            found += read_paragraphs(text)
    return found


class Archive:
    """Debian's archive as apt sees it with a configuration of our own below ``folder``."""

    def __init__(self, folder: Path, sources: list[Source], codename: str) -> None:
        self._folder = folder
        own = of_debian(sources, codename)
        if not own:
            raise SourceMissing(
                "this machine has no source of Debian's packages (/etc/apt/sources.list, "
                f"/etc/apt/sources.list.d).\n{GIVE_A_SOURCE}"
            )
        self._own = {suite for each in own for suite in each.suites}
        self._sources = with_newer(own, codename)
        self._complaints = ""

    def offers(self) -> list[Offer]:
        """Every kernel source there is, the oldest version first. Asks the archive anew.

        What cannot be reached is left out, and ``complaints`` says it.
        """
        for name in ("lists/partial", "cache"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        text = "\n".join(each.paragraph() for each in self._sources)
        (self._folder / "debian.sources").write_text(text)
        (self._folder / "apt.conf").write_text(configuration(self._folder, os.geteuid() == 0))
        updated = self._apt(["apt-get", "update"])
        self._complaints = complaints(updated.stdout + updated.stderr)
        searched = self._apt(["apt-cache", "search", "--names-only", r"^linux-source-[0-9.]+$"])
        names = sorted(set(re.findall(r"^linux-source-\d+\.\d+(?= )", searched.stdout, re.M)))
        if not names:
            return []
        return read_madison(self._apt(["apt-cache", "madison", *names]).stdout, self._own)

    @property
    def complaints(self) -> str:
        """What apt said of sources that it could not read."""
        return self._complaints

    def fetch(self, offer: Offer, folder: Path) -> Path:
        """The package's file, below ``folder``; one that lies there already is used.

        Raises SourceMissing with apt's own words when it cannot be had.
        """
        downloaded = self._apt(["apt-get", "download", offer.package], folder)
        found = sorted(folder.glob(f"linux-source-{offer.version}_*.deb"))
        if downloaded.returncode or not found:
            words = complaints(downloaded.stdout + downloaded.stderr)
            raise SourceMissing(
                f"{offer.package} ({offer.suite}) cannot be downloaded:\n{words}\n{GIVE_A_SOURCE}"
            )
        return found[-1]

    def _apt(
        self, command: Sequence[str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        # Read after the machine's own configuration, of which the way to the network stays.
        options = ["--config-file", str(self._folder / "apt.conf")]
        program, *rest = command
        try:
            return subprocess.run(
                [program, *options, *rest],
                cwd=folder,
                env=os.environ | {"LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired as error:
            raise SourceMissing(
                f"`{' '.join(command)}` was not done after {PATIENCE} s.\n{GIVE_A_SOURCE}"
            ) from error


def configuration(folder: Path, root: bool) -> str:
    """The configuration of apt (apt.conf(5)) for this folder; it touches nothing outside."""
    settings = {
        "Dir::Etc::sourcelist": folder / "debian.sources",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        # Images for containers have these switched off; with them apt is four times as fast.
        "Dir::Cache::pkgcache": "pkgcache.bin",
        "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
        "Acquire::Languages": "none",
    }
    if root:
        # apt's own user cannot reach a folder that is the user's own.
        settings["APT::Sandbox::User"] = "root"
    # What the machine does after an update of its own: cleaning its own cache, for one.
    hooks = ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
    lines = [f"#clear APT::Update::{name};" for name in hooks]
    lines += [f'{name} "{value}";' for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def complaints(output: str) -> str:
    """The lines of apt's output that say what is wrong, each once."""
    lines = [line for line in output.splitlines() if line.startswith(("E:", "W:", "Err:"))]
    return "\n".join(dict.fromkeys(lines))


def read_madison(text: str, own: set[str]) -> list[Offer]:
    """What ``apt-cache madison`` prints: the best of each version, the oldest version first.

    The machine's own suites come first, then the newest package: madison lists it first.
    """
    best: dict[str, Offer] = {}
    for line in text.splitlines():
        columns = [column.strip() for column in line.split("|")]
        if len(columns) != 3 or not columns[2].endswith(" Packages"):
            continue
        match = PACKAGE.fullmatch(columns[0])
        places = columns[2].split()
        if not match or len(places) < 3:
            continue
        suite = places[1].rpartition("/")[0]
        offer = Offer(match[1], columns[1], suite, suite in own)
        known = best.get(offer.version)
        if known is None or (offer.own and not known.own):
            best[offer.version] = offer
    return sorted(best.values(), key=lambda each: version_order(each.version))


def debian_codename() -> str:
    """The machine's release, as in "bookworm"; empty where it is not Debian or does not say."""
    try:
        said = platform.freedesktop_os_release()
    except OSError:
        return ""
    return said.get("VERSION_CODENAME", "") if said.get("ID") == "debian" else ""
