"""Virtual kernels that lie in the cache: found, chosen, and told to be missing."""

import json
from pathlib import Path

import pytest

from sockstates.__main__ import main
from sockstates.virtual import kernels
from sockstates.virtual.errors import KernelMissing


def plant(version: str, /, **changes: object) -> Path:
    """A kernel's folder as a build leaves it, but its program does nothing."""
    folder = kernels.kernels_folder() / version
    folder.mkdir(parents=True)
    (folder / kernels.PROGRAM).write_text("#!/bin/sh\n")
    (folder / kernels.PROGRAM).chmod(0o755)
    said = {"version": version, "release": f"{version}.7", "hz": 250, "arguments": ["seccomp=on"]}
    (folder / kernels.DESCRIPTION).write_text(json.dumps(said | changes))
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_versions_are_sorted_as_numbers_and_the_newest_is_the_default() -> None:
    for version in ("6.12", "6.1", "7.3"):
        plant(version)
    assert [kernel.version for kernel in kernels.built()] == ["6.1", "6.12", "7.3"]
    assert kernels.find(None).version == "7.3"
    found = kernels.find("6.1")
    assert (found.release, found.hz, found.arguments) == ("6.1.7", 250, ("seccomp=on",))
    assert found.path == kernels.kernels_folder() / "6.1" / "linux"


def test_what_is_not_whole_is_no_kernel() -> None:
    (plant("6.1") / kernels.PROGRAM).unlink()
    (plant("6.2") / kernels.DESCRIPTION).write_text('{"version": "6.')
    plant("6.3", version="6.4")
    plant("6.5", hz="many")
    (plant("6.6") / kernels.PROGRAM).chmod(0o644)
    plant(".building-6.7")
    assert kernels.built() == []


def test_without_any_kernel_the_message_says_how_to_build_one() -> None:
    with pytest.raises(KernelMissing, match=r"sockstates kernel build$"):
        kernels.find(None)


def test_a_version_never_built_is_named_with_those_that_are() -> None:
    plant("6.1")
    plant("7.3")
    with pytest.raises(KernelMissing) as caught:
        kernels.find("6.12")
    assert "6.12 has not been built; built are in" in str(caught.value)
    assert ": 6.1, 7.3." in str(caught.value)
    assert str(caught.value).endswith("sockstates kernel build --version 6.12")


def test_what_is_no_version_is_not_offered_to_be_built() -> None:
    with pytest.raises(KernelMissing, match="A version is written as in") as caught:
        kernels.find("latest")
    assert "--version latest" not in str(caught.value)


def test_a_relative_cache_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert kernels.kernels_folder() == Path.home() / ".cache" / "sockstates" / "kernels"


def kernel(*arguments: str) -> int:
    return main(["kernel", *arguments])


def test_the_list_tells_what_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    plant("6.1")
    path = plant("7.3") / kernels.PROGRAM
    assert kernel("list") == 0
    first, *rows = capsys.readouterr().out.splitlines()
    assert first.split() == ["version", "release", "HZ", "size", "where"]
    assert [row.split()[0] for row in rows] == ["6.1", "7.3"]
    assert rows[1].split() == ["7.3", "7.3.7", "250", "0.0", "MB", str(path)]


def test_only_what_is_ours_is_removed(capsys: pytest.CaptureFixture[str]) -> None:
    folder = kernels.kernels_folder()
    for version in ("6.1", "6.12", "7.3"):
        plant(version)
    (folder / "6.12" / "notes").write_text("not ours")
    (folder / "mine").mkdir()
    (folder / ".building-6.5").mkdir()
    assert kernel("remove", "6.1") == 0
    assert [each.version for each in kernels.built()] == ["6.12", "7.3"]
    assert kernel("remove", "6.12") == 1
    assert "has files that are not ours: it stays" in capsys.readouterr().err
    assert [path.name for path in (folder / "6.12").iterdir()] == ["notes"]
    (folder / "6.12" / "notes").unlink()
    assert kernel("remove", "--all") == 0
    assert [path.name for path in folder.iterdir()] == ["mine"]


@pytest.mark.parametrize("arguments", [(), ("6.12",), ("..",), ("7.3", "6.12")])
def test_what_is_not_there_is_not_removed(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    plant("7.3")
    assert kernel("remove", *arguments) == 1
    assert "here are: 7.3\n" in capsys.readouterr().err
    assert kernels.find("7.3")


def test_there_may_be_nothing_to_remove(capsys: pytest.CaptureFixture[str]) -> None:
    assert kernel("remove", "--all") == 0
    assert "nothing lies in" in capsys.readouterr().out
