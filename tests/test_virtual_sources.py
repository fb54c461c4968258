"""Where kernel sources come from: apt's own files read, its answers read, tarballs, trees."""

import io
import tarfile
from pathlib import Path

import pytest

from sockstates.virtual import choosing, trees
from sockstates.virtual.apt_sources import (
    Source,
    of_debian,
    read_lines,
    read_paragraphs,
    with_newer,
)
from sockstates.virtual.debian import (
    Archive,
    Offer,
    complaints,
    configuration,
    machine_sources,
    read_madison,
)
from sockstates.virtual.errors import BuildFailed, SourceMissing

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
LINES = f"""\
# deb http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib  # the release
deb [arch=amd64 signed-by={KEY}] http://mirror.example/security bookworm-security main
deb-src http://mirror.example/debian bookworm main
deb https://others.example/apt others-bookworm main
deb [signed-by=/etc/apt/keyrings/php.gpg] https://php.example/php bookworm main
deb https://docker.example/debian bookworm stable
deb http://mirror.example/flat ./
"""
PARAGRAPHS = f"""\
Types: deb deb-src
# a remark
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm bookworm-updates nodistro
Components: main
Signed-By: {KEY}

Types: deb-src
URIs: http://mirror.example/debian
Suites: trixie
Components: main

Types: deb
Enabled: no
URIs: http://mirror.example/debian
Suites: sid
Components: main

Types: deb
URIs: http://keyed.example/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
"""
MADISON = """\
linux-source-6.12 | 6.12.200-1 | http://mirror.example/debian sid/main amd64 Packages
linux-source-6.12 | 6.12.117-1~deb12u1 | http://mirror.example/security bookworm-security/main amd64 Packages
linux-source-6.12 | 6.12.94-1 | http://mirror.example/debian bookworm/main amd64 Packages
linux-source-6.1 |  6.1.192-2 | http://mirror.example/security bookworm-security/main amd64 Packages
linux-source-7.3 | 7.3.4-1~bpo13+1 | http://mirror.example/debian trixie-backports/main amd64 Packages
linux-source | 7.2 | http://mirror.example/debian sid/main amd64 Packages
     linux | 7.2 | http://mirror.example/debian sid/main Sources
"""  # noqa: E501
OWN = {"bookworm", "bookworm-security"}


def test_lines_of_debian_are_told_from_others() -> None:
    found = of_debian(read_lines(LINES), "bookworm")
    assert [(each.address, each.suites, each.signed_by) for each in found] == [
        ("http://mirror.example/debian", ("bookworm",), ""),
        ("http://mirror.example/security", ("bookworm-security",), KEY),
    ]


def test_paragraphs_are_read_with_their_keys() -> None:
    found = of_debian(read_paragraphs(PARAGRAPHS), "bookworm")
    assert [each.address.split("/")[2] for each in found] == [
        "mirror.example",
        "second.example",
        "keyed.example",
    ]
    assert found[0].suites == ("bookworm", "bookworm-updates")
    assert found[0].signed_by == KEY
    assert "\n mQINBF\n" in found[2].signed_by


def test_what_is_written_for_apt_reads_as_it_was() -> None:
    for source in of_debian(read_paragraphs(PARAGRAPHS), "bookworm"):
        (again,) = read_paragraphs(source.paragraph())
        assert again == source


def test_newer_suites_are_asked_of_the_machines_own_mirror() -> None:
    own = of_debian(read_lines(LINES), "bookworm")[::-1]
    *same, added = with_newer(own, "bookworm")
    assert same == own
    assert added.address == "http://mirror.example/debian"
    assert added.suites == ("bookworm-backports", "trixie-backports", "stable-backports", "sid")


def test_a_suite_that_the_machine_has_is_not_asked_twice() -> None:
    own = [Source("http://mirror.example/debian", ("trixie", "sid", "trixie-backports"), ("main",))]
    assert with_newer(own, "trixie")[-1].suites == ("stable-backports",)


def test_a_future_release_is_known_by_the_machines_own_name() -> None:
    future = [Source("http://mirror.example/debian", ("zurg", "zurg-security"), ("main",))]
    assert of_debian(future, "zurg") == future
    assert not of_debian(future, "bookworm")


def test_both_kinds_of_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(LINES)
    (tmp_path / "sources.list.d" / "debian.sources").write_text(PARAGRAPHS)
    (tmp_path / "sources.list.d" / "old.list.save").write_text(LINES)
    assert len(machine_sources(tmp_path)) == 5 + 3


def test_without_a_source_of_debian_the_way_out_is_a_tarball(tmp_path: Path) -> None:
    other = [Source("https://others.example/apt", ("noble",), ("main",))]
    with pytest.raises(SourceMissing, match=r"(?s)no source of Debian's.*--source PATH"):
        Archive(tmp_path, other, "")


def test_madison_prefers_the_machines_own_release() -> None:
    found = read_madison(MADISON, OWN)
    assert [(each.version, each.suite, each.own) for each in found] == [
        ("6.1", "bookworm-security", True),
        ("6.12", "bookworm-security", True),
        ("7.3", "trixie-backports", False),
    ]
    assert found[1].package == "linux-source-6.12=6.12.117-1~deb12u1"


def test_apt_is_given_nothing_of_the_machines_to_write(tmp_path: Path) -> None:
    text = configuration(tmp_path, root=True)
    assert "#clear APT::Update::Post-Invoke;" in text
    assert f'Dir::State::lists "{tmp_path}/lists";' in text
    assert 'APT::Sandbox::User "root";' in text
    assert "APT::Sandbox" not in configuration(tmp_path, root=False)


def test_complaints_of_apt_are_said_once() -> None:
    said = "Hit:1 x\nE: Release file is missing\nW: skipped\nE: Release file is missing\n"
    assert complaints(said) == "E: Release file is missing\nW: skipped"


@pytest.mark.parametrize(
    ("version", "installed", "picked"),
    [
        (None, set(), "6.12"),
        (None, {"6.12"}, None),
        ("newest", {"6.12"}, "7.3"),
        ("6.1", set(), "6.1"),
        ("5.10", set(), None),
    ],
)
def test_which_source_is_picked(version: str | None, installed: set[str], picked: str) -> None:
    offer = choosing.pick(version, read_madison(MADISON, OWN), installed)
    assert (offer.version if offer else None) == picked


def test_a_source_that_nobody_has_is_named_beside_those_there_are() -> None:
    offers = [Offer("6.12", "1", "bookworm", True), Offer("6.1", "1", "bookworm", True)]
    text = choosing.no_such_source("5.10", offers, set(), "E: no network")
    assert text.startswith("there is no source of Linux 5.10 to be had; there are: 6.1, 6.12.")
    assert "E: no network" in text
    assert text.endswith("sockstates kernel build --source PATH")


def test_what_is_no_version_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(SourceMissing, match="`six` is not a version"):
        choosing.choose("six", None, print)


def tree_at(folder: Path, version: str = "6.12") -> Path:
    folder.mkdir()
    major, minor = version.split(".")
    head = f"# SPDX\nVERSION = {major}\nPATCHLEVEL = {minor}\nSUBLEVEL = 3\n"
    (folder / "Makefile").write_text(head)
    return folder


@pytest.mark.parametrize("top", ["linux-6.12", "./linux-6.12"])
@pytest.mark.parametrize("kind", [pytest.param("w:xz", marks=pytest.mark.programs("xz")), "w:gz"])
def test_a_tarball_tells_its_version_and_is_unpacked(tmp_path: Path, top: str, kind: str) -> None:
    tree, tarball = tree_at(tmp_path / "tree"), tmp_path / "any.tar"
    with tarfile.open(tarball, kind) as archive:  # type: ignore[call-overload]
        archive.addfile(tarfile.TarInfo(f"{top}/Documentation/Makefile"), io.BytesIO())
        archive.add(tree / "Makefile", f"{top}/Makefile")
    assert trees.version_given(tarball) == "6.12"
    build = tmp_path / "build"
    build.mkdir()
    said: list[str] = []
    unpacked = trees.unpacked(trees.given(tarball), build, said.append)
    assert (unpacked / "Makefile").read_text() == (tree / "Makefile").read_text()
    assert trees.unpacked(trees.given(tarball), build, said.append) == unpacked
    assert "going on in" in said[-1]


def test_another_source_begins_anew(tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    (build / "log").write_text("  CC  init/main.o\n")
    first, second = (trees.given(tree_at(tmp_path / name)) for name in ("one", "two"))
    (trees.unpacked(first, build, print) / "made.o").write_text("")
    tree = trees.unpacked(second, build, print)
    assert [path.name for path in tree.iterdir()] == ["Makefile"]
    assert not (build / "log").exists()


def test_a_tree_that_was_unpacked_half_is_not_taken(tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / "tree.partial").mkdir(parents=True)
    (build / "tree.partial" / "half").write_text("")
    tree = trees.unpacked(trees.given(tree_at(tmp_path / "one")), build, print)
    assert [path.name for path in tree.iterdir()] == ["Makefile"]


@pytest.mark.parametrize("name", ["nothing", "folder", "text", "other.tar"])
def test_what_is_no_source_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no tarball")
    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("other/README"))
    with pytest.raises(SourceMissing, match=name):
        trees.version_given(tmp_path / name)


def test_a_makefile_of_something_else_is_no_kernel(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("all:\n")
    with pytest.raises(SourceMissing, match="names no version"):
        trees.version_given(tmp_path)


def test_a_version_that_the_source_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"is Linux 6.12, not 6.1: leave --version out"):
        choosing.choose("6.1", tree_at(tmp_path / "tree"), print)


def test_a_package_that_cannot_be_unpacked_says_why(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_text("no package")
    origin = trees.from_package(tmp_path / "x.deb", "6.1")
    with pytest.raises(BuildFailed, match="failed"):
        trees.unpacked(origin, tmp_path, print)
    assert not (tmp_path / "tree").exists()
