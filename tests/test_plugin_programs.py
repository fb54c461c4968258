"""The marker ``programs``: what is skipped without a program, and how a run says so."""

import os
from pathlib import Path

import pytest

from harness import programs
from harness.plugin_programs import packages_text
from tests.scenario_runs import Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]

FOUR_TESTS = """
    @pytest.mark.programs("nginx", "curl")
    def test_both(lab):
        pass

    @pytest.mark.programs("nginx")
    @pytest.mark.parametrize("number", range(2))
    def test_one(number):
        pass

    @pytest.mark.programs("no-such-program")
    def test_unknown():
        pass

    def test_none():
        pass
"""


@pytest.fixture
def bare(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Runs on a machine that has no program at all."""
    monkeypatch.setenv("PATH", str(tmp_path))
    runs.write("import harness.programs\nharness.programs.SYSTEM_FOLDERS = ()", "conftest", "")
    return runs


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_packages_are_named_once_at_the_end(bare: Runs, workers: tuple[str, ...]) -> None:
    bare.write(FOUR_TESTS)
    result = bare.run("-rs", *workers)
    result.assert_outcomes(skipped=4, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*curl is not installed; Debian's package curl has it; nginx is not installed; *",
            "*no-such-program is not installed*",
        ]
    )
    sudo = "" if os.geteuid() == 0 else "sudo "
    install = f"{sudo}apt-get install --no-install-recommends"
    assert (
        "\n".join(
            [
                "3 skipped tests need Debian packages: curl (1), nginx (3). To run them:",
                f"  {sudo}apt-get update && {install} curl nginx",
            ]
        )
        in result.stdout.str()
    )
    assert result.stdout.str().count("skipped tests need") == 1


def test_where_everything_is_required_the_packages_are_one_error(bare: Runs) -> None:
    bare.write(FOUR_TESTS)
    result = bare.run("--lab-require")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "  curl is not installed; Debian's package curl has it (tests: 1)",
            "  nginx is not installed; Debian's package nginx has it (tests: 3)",
            "  no-such-program is not installed*(tests: 1)",
            "To install them:",
            "  *apt-get install --no-install-recommends curl nginx",
        ]
    )
    assert "skipped tests need" not in result.stdout.str()


def test_nothing_is_said_where_nothing_was_skipped(bare: Runs) -> None:
    bare.write("def test_none():\n    pass")
    assert "apt-get" not in bare.run().stdout.str()


def test_a_long_list_of_packages_is_wrapped_and_its_command_is_not() -> None:
    *text, command = packages_text([set(programs.PACKAGES)], 80)
    assert len(text) > 1
    assert max(map(len, text)) <= 80
    assert all(package in command for package in programs.PACKAGES.values())


def test_an_unprivileged_user_is_told_to_use_sudo() -> None:
    command = programs.install_command(["b", "a", "b"], root=False)
    assert command == "sudo apt-get update && sudo apt-get install --no-install-recommends a b"
    assert "sudo" not in programs.install_command(["a"], root=True)


@pytest.mark.parametrize(
    ("name", "intended"),
    [
        *(("ngnix", "nginx"), ("tcpdmp", "tcpdump"), ("opensl", "openssl"), ("telent", "telnet")),
        *(("nginx", None), ("gunicorn", None), ("python3", None), ("no-such-program", None)),
    ],
)
def test_a_misspelling_is_told_from_an_unknown_program(name: str, intended: str | None) -> None:
    assert programs.intended_program(name) == intended
