"""``--lab-catalogue`` and markers ``phenomenon`` in real runs of pytest."""

import re
import sys
from pathlib import Path

import pytest

from sockstates.catalogue.introduction import CLIENT, SERVICE
from sockstates.report.html.results import read_results
from tests.module_trees import PROJECT
from tests.scenario_runs import Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
ENTRY = """
@pytest.mark.phenomenon(2, symptom="connect hangs", client="{client}", server="{server}"{more})
@pytest.mark.cause("client.connect")
def test_quick(lab, client, server):
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
"""
LISTED = """
@pytest.mark.phenomenon(2, symptom="connect hangs", client="SYN_SENT", settings=("tcp_retries2",))
def test_first(lab):
    \"\"\"Nobody answers.\"\"\"

@pytest.mark.parametrize("kind", [
    pytest.param("a", marks=pytest.mark.phenomenon(8, symptom="refused", errno="EPIPE")),
    pytest.param("b", marks=pytest.mark.phenomenon(8, symptom="refused", errno="EPERM")),
    "c",
])
def test_second(lab, kind):
    raise AssertionError("nothing is run")
"""
WHOLE = ("-o", "testpaths=.")


def entry(client: str = "ESTABLISHED", server: str = "LISTEN, ESTABLISHED", more: str = "") -> str:
    return ENTRY.format(client=client, server=server, more=more)


class TestFacts:
    @pytest.mark.parametrize("workers", [(), ("-n", "2")])
    def test_a_scenario_that_shows_them_passes(self, runs: Runs, workers: tuple[str, ...]) -> None:
        runs.write(entry())
        runs.run(*workers, "--lab-report", "out").assert_outcomes(passed=1)
        (result,) = read_results(runs.folder / "out")
        assert (result.phenomena, result.symptom) == (("2",), "connect hangs")
        index = (runs.folder / "out" / "index.html").read_text()
        assert re.search(r'<td class="phenomenon" data-order="2">2 connect hangs</td>', index)

    @pytest.mark.parametrize("workers", [(), ("-n", "2")])
    def test_a_state_that_was_not_seen_fails(self, runs: Runs, workers: tuple[str, ...]) -> None:
        runs.write(entry(server="ESTABLISHED, CLOSE_WAIT"))
        result = runs.run(*workers)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "at the scenario's end: ExpectationFailed: pytest.mark.phenomenon(2) says of the "
                "server what this run did not show",
                "",
                "  expected  ESTABLISHED, then CLOSE_WAIT",
                "  seen *",
            ],
            consecutive=True,
        )
        # Whether the listener or its connection was seen first is a matter of witnesses.
        result.stdout.re_match_lines_random(
            [
                r"  seen .*|            0\.0\.0\.0\.80 LISTEN",
                r".*server\.80 \(to client.*ESTABLISHED",
            ]
        )
        result.stdout.fnmatch_lines(["*lab: A module's title.*", "The wire:"])

    def test_an_errno_that_nobody_got_fails(self, runs: Runs) -> None:
        runs.write(entry(more=', errno="ETIMEDOUT"'))
        result = runs.run()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "*pytest.mark.phenomenon(2) says that a program gets ETIMEDOUT, and in this run *",
                "  expected  ETIMEDOUT (Connection timed out) from a call, or in the output*",
                "  seen      no call failed",
            ]
        )

    def test_what_fails_by_itself_says_only_that(self, runs: Runs) -> None:
        runs.write(
            entry(server="CLOSE_WAIT") + "    connection.client.reaches(CLOSED, seconds=0)\n"
        )
        result = runs.run()
        result.assert_outcomes(failed=1)
        result.stdout.no_fnmatch_line("*phenomenon(2) says*")

    def test_without_its_cause_its_own_expectations_have_to_fail(self, runs: Runs) -> None:
        proves_nothing = entry(server="CLOSE_WAIT").replace("connection.", "pass; 'connection.")
        runs.write(proves_nothing.replace("ESTABLISHED)", "ESTABLISHED)'"))
        result = runs.run("--lab-without-cause")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*still passes without its cause*"])

    @pytest.mark.parametrize("marker", ['symptom="connect hangs"', 'symptom="refused"'])
    def test_a_wrong_marker_is_one_message(self, runs: Runs, marker: str) -> None:
        runs.write(LISTED.replace(marker, 'symptom="hungs"'))
        result = runs.run()
        assert result.ret != pytest.ExitCode.OK
        result.stdout.fnmatch_lines(["pytest.mark.phenomenon(*): symptom is one of refused, *"])


class TestPage:
    @pytest.mark.parametrize("workers", [(), ("-n", "2")])
    def test_it_is_printed_and_nothing_runs(self, runs: Runs, workers: tuple[str, ...]) -> None:
        runs.write(LISTED)
        result = runs.run(*WHOLE, *workers, "--lab-catalogue")
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines(
            [
                "# The catalogue of timeouts",
                "### 8. a firewall rejects with ICMP",
                "- the program gets: `a` EPIPE; `b` EPERM",
                "- recipe: [[]test_it.py[]](test_it.py), `test_second`",
                "### 2. a black hole swallows every SYN",
                "[*][*]Nobody answers.[*][*]",
                "- recipe: [[]test_it.py[]](test_it.py), `test_first`",
            ]
        )
        assert result.parseoutcomes() == {}

    @pytest.mark.parametrize("workers", [(), ("-n", "2")])
    def test_it_is_written_and_checked(self, runs: Runs, workers: tuple[str, ...]) -> None:
        runs.write(LISTED)
        check, write = ((*WHOLE, *workers, f"--lab-catalogue={way}") for way in ("check", "write"))
        assert runs.run(*check).ret == pytest.ExitCode.TESTS_FAILED
        assert runs.run(*write).ret == pytest.ExitCode.OK
        result = runs.run(*check)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines(["README.md is current"])
        runs.write(LISTED.replace("Nobody answers.", "Somebody answers."))
        result = runs.run(*check)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(
            [
                "--- README.md as it is",
                "+++ README.md as the scenarios say",
                "-[*][*]Nobody answers.[*][*]",
                "+[*][*]Somebody answers.[*][*]",
                "README.md is not what the scenarios say. To update it:",
                "    pytest . --lab-catalogue=write",
            ]
        )
        assert "Nobody answers." in (runs.folder / "README.md").read_text()

    def test_it_is_made_from_all_scenarios_or_not_at_all(self, runs: Runs) -> None:
        runs.write(LISTED)
        for selection in (["-k", "first"], ["test_it.py"]):
            result = runs.run(*WHOLE, "--lab-catalogue=write", *selection)
            assert result.ret == pytest.ExitCode.USAGE_ERROR
            result.stderr.fnmatch_lines(["ERROR: --lab-catalogue: * made from all scenarios;*"])
        runs.write("def broken(", name="test_broken")
        assert runs.run(*WHOLE, "--lab-catalogue=write").ret == pytest.ExitCode.INTERRUPTED
        assert not (runs.folder / "README.md").exists()

    def test_a_path_behind_the_option_is_not_a_way(self, runs: Runs) -> None:
        result = runs.run("--lab-catalogue", "scenarios")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: --lab-catalogue=scenarios: it is one of print, *"])

    def test_the_projects_own_is_current(self, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
        """Regenerate it with: pytest scenarios --lab-catalogue=write."""
        command = runs.command("-p", "no:cacheprovider", "scenarios", "--lab-catalogue=check")
        configuration = ("--rootdir", str(PROJECT), "-c", str(PROJECT / "pyproject.toml"))
        monkeypatch.chdir(PROJECT)
        result = runs.run_command(*command, *configuration)
        assert result.ret == pytest.ExitCode.OK, "\n".join(result.outlines)


def test_a_persons_own_programs_take_the_place_of_the_built_in_ends(runs: Runs) -> None:
    """The lines that the page's introduction gives, with commands that are here."""
    (runs.folder / "own.py").write_text(
        "import socket, sys\nown = socket.create_connection(('server', 8080))\nown.recv(1)\n"
    )
    python = Path(sys.executable)
    service = SERVICE.replace("my-service --port 8080", f"{python} -m http.server 8080")
    own = CLIENT.replace("my-client http://server:8080/", f"{python} {runs.folder}/own.py")
    built_in, replaced = SERVICE.splitlines()[0], service.splitlines()[1]
    assert built_in != replaced
    runs.write(
        f"""
def test_service(lab, client, server):
    {replaced}
    {CLIENT.splitlines()[0]}
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

def test_client(lab, client, server):
    {built_in}
    {own.splitlines()[1]}
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
"""
    )
    runs.run("-n", "2").assert_outcomes(passed=2)
