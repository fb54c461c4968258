"""The marker ``programs``: what is skipped without a program, and how a run says so."""

import os
from pathlib import Path

import pytest

from sockstates import programs
from sockstates.plugin.programs import packages_text
from sockstates.programs import commands_of
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
    """Runs on a machine that has no program at all, but what could install some."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("apt-get", "sudo"):
        (folder / name).symlink_to("/bin/false")
    monkeypatch.setenv("PATH", str(folder))
    runs.write(
        f"""
        from pathlib import Path
        import sockstates.programs
        sockstates.programs.SYSTEM_FOLDERS = ()
        sockstates.programs.APT_LISTS = Path({str(tmp_path / "lists")!r})
        """,
        "conftest",
        "",
    )
    return runs


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_packages_are_named_once_at_the_end(bare: Runs, workers: tuple[str, ...]) -> None:
    bare.write(FOUR_TESTS)
    result = bare.run("-rs", *workers)
    result.assert_outcomes(skipped=4, passed=1)
    result.stdout.fnmatch_lines_random(
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


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that has apt, and its folder of lists."""
    monkeypatch.setattr(programs, "find_program", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(programs, "APT_LISTS", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("apt")
def test_an_unprivileged_user_is_told_to_use_sudo() -> None:
    (command,) = programs.install_commands(["b", "a", "b"], root=False)
    assert command == "sudo apt-get update && sudo apt-get install --no-install-recommends a b"
    assert "sudo" not in programs.install_commands(["a"], root=True)[0]


def test_the_lists_of_packages_are_fetched_only_where_there_are_none(apt: Path) -> None:
    (apt / "lock").touch()
    (apt / "partial").mkdir()
    install = "apt-get install --no-install-recommends telnet"
    assert programs.install_commands(["telnet"], root=True) == (f"apt-get update && {install}",)
    (apt / "deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4").touch()
    assert programs.install_commands(["telnet"], root=True) == (install,)


@pytest.mark.usefixtures("apt")
def test_where_there_is_no_apt_no_line_of_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert programs.install_commands([], root=True) == ()
    assert [*packages_text([{"telnet"}], 80)][1:]
    monkeypatch.setattr(programs, "find_program", lambda _: None)
    assert programs.install_commands(["telnet"], root=True) == ()
    assert [*packages_text([{"telnet"}], 80)] == [
        "1 skipped test needs Debian packages: telnet (1)."
    ]


@pytest.mark.parametrize(
    ("name", "intended"),
    [
        *(("ngnix", "nginx"), ("tcpdmp", "tcpdump"), ("opensl", "openssl"), ("telent", "telnet")),
        *(("nginx", None), ("gunicorn", None), ("python3", None), ("no-such-program", None)),
    ],
)
def test_a_misspelling_is_told_from_an_unknown_program(name: str, intended: str | None) -> None:
    assert programs.intended_program(name) == intended


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        (["ping", "server"], ["ping"]),
        (["sh", "-c", "ping server && exec nc -l 80"], ["sh", "ping", "nc"]),
        (["sh", "-c", "X=1 nc server | cat >/tmp/ping"], ["sh", "nc", "cat"]),
        (
            ["bash", "-ec", "while read l; do (ss -t) & done <ip\ncurl x # ping"],
            ["bash", "ss", "curl"],
        ),
        (["sh", "-c", 'a=$(ip route); echo "$(ss) ping"; `nft list`'], ["sh", "ip", "ss", "nft"]),
        (["sh", "-c", 'trap "" INT; exec 3<&0; "$@" ping', "sh", "nc"], ["sh"]),
        (["sh", "-c", "for ping in nc ss; do true; done; if curl x; then :; fi"], ["sh", "curl"]),
        (["sh", "-c", "cat <<END\nping\nEND"], ["sh", "cat"]),
        (["sh", "-c", "nc 'not ended"], ["sh", "nc"]),
        (["sh", "nc"], ["sh"]),
        (["sh"], ["sh"]),
    ],
)
def test_the_commands_of_a_command_line(words: list[str], commands: list[str]) -> None:
    assert commands_of(words) == commands


UNDECLARED = """
    import os, sys
    from pathlib import Path

    CHILD = "import subprocess; subprocess.run(['ping', '-c', '1', 'server'])"

    @pytest.mark.parametrize(
        "command",
        [
            "ping -c 1 server",
            "/usr/bin/ping -c 1 server",
            ["sh", "-c", "true; ping -c 1 server || true"],
            ["xargs", "ping"],
            [sys.executable, "-c", CHILD],
        ],
        ids=["name", "path", "shell", "launcher", "child"],
    )
    @pytest.mark.programs("curl", "sh")
    def test_it(lab, client, command):
        program = client.start(command)
        program.close_input()
        program.ends()
"""


@pytest.mark.parametrize("installed", [True, False])
def test_an_undeclared_program_fails_installed_or_not(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    for name in ("curl", *(["ping"] if installed else [])):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    runs.write(UNDECLARED)
    result = runs.run()
    result.assert_outcomes(failed=5)
    marker = '@pytest.mark.programs("curl", "ping", "sh")'
    assert result.stdout.str().count(f"Write above it: {marker}.") >= 5
    result.stdout.fnmatch_lines(
        [
            "*NotDeclared: client runs 'ping -c 1 server', but the scenario does not declare ping*",
            "*a program of this scenario started ping, which it does not declare.*",
        ]
    )


def test_what_need_not_be_declared(runs: Runs, tmp_path: Path) -> None:
    own = tmp_path / "service"
    own.write_text("#!/bin/sh\ncat /dev/null; exec sleep 0\n")
    own.chmod(0o755)
    runs.write(
        f"""
        import os, sys

        def test_it(lab, client):
            client.start([sys.executable, "-c", "pass"]).ends(0)
            client.start({str(own)!r}).ends(0)
            client.start("./service", directory={str(tmp_path)!r}).ends(0)
            client.start("service", environment={{"PATH": {f"{tmp_path}:/usr/bin:/bin"!r}}}).ends(0)
            client.start(["sh", "-c", "sleep 0"]).ends(0)
        """
    )
    runs.run().assert_outcomes(passed=1)
