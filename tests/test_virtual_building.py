"""Building a kernel, with a tree and a `make` that take milliseconds; every way it can fail."""

import errno
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sockstates import __main__ as harness_main
from sockstates import programs as programs_known
from sockstates.commands import kernel as kernel_command
from sockstates.virtual import building, choosing, kernels, recipe, requirements
from sockstates.virtual.errors import BuildFailed, BuildImpossible, KernelUnusable
from sockstates.virtual.make import failure
from tests.fake_kernel_tree import COMPILES, plant_programs, plant_tree, write_program
from tests.module_trees import PROJECT

Output = pytest.CaptureFixture[str]
HANGS = 900.0
"""Seconds: far more than a machine with other work to do takes, so that only a hang is red."""


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = plant_programs(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return plant_tree(tmp_path / "tree")


def kernel(*arguments: str | Path) -> int:
    return harness_main.main(["kernel", *map(str, arguments)])


def left() -> list[str]:
    return sorted(path.name for path in kernels.kernels_folder().iterdir())


def test_a_tree_becomes_a_kernel_and_nothing_else_is_left(tree: Path, capsys: Output) -> None:
    before = (tree / "arch/um/Kconfig").read_text()
    assert kernel("build", "--source", tree) == 0
    found = kernels.find("6.12")
    assert (found.release, found.hz, found.arguments) == ("6.12.3", 250, ("seccomp=on",))
    assert left() == ["6.12"]
    assert sorted(path.name for path in found.path.parent.iterdir()) == sorted(kernels.FILES)
    assert (tree / "arch/um/Kconfig").read_text() == before
    said = capsys.readouterr().out
    assert "will lie in" in said
    assert "1 of about 862 objects" in said
    assert said.endswith(f"has booted: {found.path}\n")
    description = json.loads((found.path.parent / kernels.DESCRIPTION).read_text())
    assert description["compiler"] == "cc of a test"
    assert description["recipe"] == recipe.digest()


def test_what_apt_has_fetched_goes_with_the_last_build(tree: Path) -> None:
    for name in (".apt", ".building-6.1"):
        (kernels.kernels_folder() / name).mkdir(parents=True)
    kernel("build", "--source", tree)
    assert left() == [".apt", ".building-6.1", "6.12"]
    (kernels.kernels_folder() / ".building-6.1").rmdir()
    kernel("build", "--source", tree, "--force")
    assert left() == ["6.12"]


def test_what_is_built_already_is_not_built_again(tree: Path, capsys: Output) -> None:
    kernel("build", "--source", tree)
    first = kernels.find("6.12").path.stat().st_ino
    capsys.readouterr()
    assert kernel("build", "--version", "6.12") == 0
    assert kernel("build", "--source", tree) == 0
    assert kernels.find("6.12").path.stat().st_ino == first
    assert capsys.readouterr().out.count("Linux 6.12.3 is built already") == 2
    assert kernel("build", "--source", tree, "--force", "--keep-tree") == 0
    assert kernels.find("6.12").path.stat().st_ino != first
    assert left() == [".building-6.12", "6.12"]


def test_another_recipe_is_built_anew(
    tree: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel("build", "--source", tree)
    monkeypatch.setattr(recipe, "digest", lambda: "another")
    assert kernel("build", "--source", tree) == 0
    assert "built already" not in capsys.readouterr().out


def test_everything_missing_is_said_at_once(
    tmp_path: Path, tree: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "bc").symlink_to(tmp_path / "bin" / "bc")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(programs_known, "find_program", lambda name: f"/usr/bin/{name}")
    assert kernel("build", "--source", tree) == 1
    said = capsys.readouterr().err
    assert "missing are gcc, make, flex, bison, ld, perl, tar, xz." in said
    packages = "binutils bison flex gcc make perl tar xz-utils"
    assert f"apt-get install --no-install-recommends {packages}" in said
    assert kernel("build", "--version", "6.1") == 1
    assert "xz, apt-get, apt-cache, dpkg-deb." in capsys.readouterr().err


def test_a_missing_static_library_is_named(programs: Path, tree: Path, capsys: Output) -> None:
    write_program(programs / "gcc", "#!/bin/sh\necho libc.a\n")
    assert kernel("build", "--source", tree) == 1
    assert "missing are libc.a.\n" in (said := capsys.readouterr().err)
    assert "--no-install-recommends libc6-dev" in said


def test_another_processor_is_told(
    tree: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert kernel("build", "--source", tree) == 1
    assert "is aarch64; User Mode Linux is for x86_64 only" in capsys.readouterr().err


def test_a_disk_that_is_too_full_is_told_beforehand(
    tree: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(10, 9, 1_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert kernel("build", "--source", tree) == 1
    said = capsys.readouterr().err
    assert "the disk is too full: building takes 2.5 GB" in said
    assert "1.0 GB are free" in said
    assert "XDG_CACHE_HOME=/elsewhere" in said
    requirements.check_disk(tree, already=1_500_000_000)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_meanwhile_is_told(
    tree: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(_: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(recipe, "apply_changes", full)
    assert kernel("build", "--source", tree) == 1
    assert "the disk is full.\nMake room" in capsys.readouterr().err


def test_a_disk_that_fills_while_compiling_is_told(programs: Path, tree: Path) -> None:
    plant_programs(programs, "echo 'as: main.o: No space left on device'; exit 2")
    with pytest.raises(BuildFailed, match="the disk became full while the kernel was compiled"):
        building.build(building.Wish(source=tree), print)


def test_a_failure_shows_the_first_error_and_the_last_lines(programs: Path, tree: Path) -> None:
    later = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do echo later $i; done"
    plant_programs(programs, f"echo 'main.c:3:1: error: no such thing'; {later}; exit 2")
    with pytest.raises(BuildFailed) as caught:
        building.build(building.Wish(source=tree), print)
    log = building.build_folder("6.12") / "log"
    text = str(caught.value)
    assert "The first error:\n  main.c:3:1: error: no such thing\n" in text
    assert text.endswith(f"  later 13\nAll of it: {log}")
    assert "error: no such thing" in log.read_text()
    assert kernels.built() == []


def test_a_compiler_that_was_killed_hints_at_memory() -> None:
    text = failure(["make"], ["gcc: fatal error: Killed signal terminated program cc1"], Path("l"))
    assert "no memory left" in text


def test_an_option_that_did_not_make_it_is_named(tree: Path) -> None:
    merge = tree / "scripts/kconfig/merge_config.sh"
    merge.write_text(merge.read_text() + "sed -i /CONFIG_VETH/d .config\n")
    with pytest.raises(BuildFailed, match=r"6.12 cannot be configured .*\n  CONFIG_VETH=y\n"):
        building.build(building.Wish(source=tree), print)


def test_a_kernel_that_does_not_boot_is_never_found(programs: Path, tree: Path) -> None:
    plant_programs(programs, COMPILES.replace("time-travel", "jiffies"))
    with pytest.raises(KernelUnusable, match="has no time travel: its clock is jiffies"):
        building.build(building.Wish(source=tree), print)
    assert kernels.built() == []


def test_a_kernel_that_fails_leaves_the_one_before(programs: Path, tree: Path) -> None:
    kernel("build", "--source", tree)
    plant_programs(programs, "exit 2")
    with pytest.raises(BuildFailed):
        building.build(building.Wish(source=tree, force=True), print)
    assert kernels.find("6.12").release == "6.12.3"


def started(tree: Path) -> subprocess.Popen[str]:
    """A build in a session of its own, whose compiler never ends; it compiles already.

    A compiler that is a shell with a child of its own could lose SIGINT in between: dash handles it
    in the child too, until the child has executed its program.
    """
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "sockstates", "kernel", "build", "--source", str(tree)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = building.build_folder("6.12") / "log"
    deadline = time.monotonic() + HANGS
    while not (log.exists() and "main.o" in log.read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    return process


def test_an_interrupted_build_goes_on(programs: Path, tree: Path, capsys: Output) -> None:
    plant_programs(programs, "exec sleep 1000")
    process = started(tree)
    assert process.stdout is not None
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=HANGS)
    assert process.returncode == kernel_command.INTERRUPTED
    again = f"sockstates kernel build --source {tree}"
    assert said.endswith(f"Interrupted. The same command goes on where it was: {again}\n")
    assert kernels.built() == []
    assert left() == [".building-6.12"]
    assert kernel("list") == 0
    assert "Linux 6.12 is unfinished" in capsys.readouterr().out
    (building.build_folder("6.12") / "tree" / "made.o").write_text("")
    plant_programs(programs, f"test -e made.o && {COMPILES}")
    assert kernel("build", "--source", tree) == 0
    assert "where an earlier build was interrupted" in capsys.readouterr().out
    assert left() == ["6.12"]


def test_two_builds_of_a_version_do_not_meet(programs: Path, tree: Path, capsys: Output) -> None:
    plant_programs(programs, "exec sleep 1000")
    process = started(tree)
    try:
        for arguments in (("build", "--source", tree), ("remove", "6.12")):
            assert kernel(*arguments) == 1
            said = capsys.readouterr().err
            assert f"process {process.pid} is building Linux 6.12 just now" in said
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    # Its compiler holds the lock as well, until the kernel has ended that too.
    deadline = time.monotonic() + HANGS
    while kernel("remove", "6.12") != 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert left() == []


def test_building_needs_a_source(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise BuildImpossible("no archive here")

    monkeypatch.setattr(choosing, "archive", none)
    monkeypatch.setattr("sockstates.virtual.trees.installed_tarballs", dict)
    assert kernel("build") == 1
    assert capsys.readouterr().err == "kernel build: no archive here\n"
    assert kernel("list", "--available") == 0
    said = capsys.readouterr().out
    assert "No virtual kernel is built in" in said
    assert "No source is known.\nno archive here\n" in said
    assert kernel("build", "--source", "/nowhere/linux") == 1
    assert capsys.readouterr().err.startswith("kernel build: /nowhere/linux is not there")
