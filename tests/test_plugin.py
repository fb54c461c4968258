"""The doorbell: every option and marker in a run of pytest where it makes the difference."""

import pytest

from tests.scenario_runs import CONNECTED, FAILING, HEAD, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
WITHOUT_FAMILY = HEAD.replace("pytestmark", "unused")


class TestCollection:
    def test_each_scenario_runs_once_for_each_address_family(self, runs: Runs) -> None:
        runs.write(
            """
            def test_both(lab, client, server):
                assert (":" in client.address) is (lab.family == "ipv6")
                client.connect(server.listen()).server.reaches(ESTABLISHED)

            @pytest.mark.families("ipv6")
            def test_one(lab, server):
                assert ":" in server.address

            def test_without_a_lab():
                pass
            """,
            head=WITHOUT_FAMILY,
        )
        result = runs.run("-v")
        result.assert_outcomes(passed=4)
        result.stdout.fnmatch_lines(
            [
                "*::test_both?ipv4? PASSED*",
                "*::test_both?ipv6? PASSED*",
                "*::test_one?ipv6? PASSED*",
                "*::test_without_a_lab PASSED*",
            ]
        )

    def test_titles_are_listed(self, runs: Runs) -> None:
        runs.write(CONNECTED)
        result = runs.run("--collect-only")
        result.stdout.fnmatch_lines(
            ["*A module's title.", "*<Function test_established*", "*Both ends are ESTABLISHED."]
        )

    def test_the_markers_are_explained(self, runs: Runs) -> None:
        runs.write(CONNECTED)
        result = runs.run("--markers")
        for name in ("cause", "claims", "families", "topology", "programs", "shortened"):
            result.stdout.fnmatch_lines([f"@pytest.mark.{name}(*): *"])

    @pytest.mark.parametrize(("workers", "collectors"), [((), 1), (("-n", "2"), 2)])
    def test_wrong_markers_are_one_clear_error_each(
        self, runs: Runs, workers: tuple[str, ...], collectors: int
    ) -> None:
        wrong = {
            'families("ipv5")': "'ipv5' is none of ipv4, ipv6",
            "families()": "it takes the names of address families, one or more",
            "claims(27)": "27 is not one of the ids of claims",
            'claims("T7 ")': "'T7 ' has spaces around it",
            'claims("T7", holds="no")': "holds is True or False, not 'no'",
            'claims("T7", hold=False)': "it takes the ids of claims, one or more, holds=…",
            "claims(holds=False)": "it takes the ids of claims, one or more, holds=…",
            'programs(name="nc")': "it takes the names of programs, one or more",
            'programs("nc", "ngnix")': "'ngnix' is not installed, nor known: 'nginx' is",
            "topology(True)": "it takes hosts, router, loopback, by name",
            "topology(routers=True)": "there is no 'routers', only hosts, router, loopback",
            'topology(hosts="ab")': "hosts is a tuple, not 'ab'",
            'topology(hosts=("client", "Server"))': "'Server' is not a host name",
        }
        for number, marker in enumerate(wrong):
            runs.write(
                f"@pytest.mark.{marker}\ndef test_it(lab):\n    pass\n",
                name=f"test_wrong{number}",
                head=WITHOUT_FAMILY,
            )
        result = runs.run(*workers)
        result.assert_outcomes(errors=collectors * len(wrong))
        for number, (marker, problem) in enumerate(wrong.items()):
            said = f"pytest.mark.{marker}: {problem}".replace('"', "'")
            result.stdout.fnmatch_lines(
                [f"{said}*", "  write it like this: pytest.mark.*", f"  in test_wrong{number}.py*"]
            )
        result.stdout.no_fnmatch_line("*During handling*")
        result.stdout.no_fnmatch_line("*plugin_markers.py*")

    def test_no_scenario_shows_that_a_claim_holds_and_that_it_does_not(self, runs: Runs) -> None:
        runs.write(
            """
            pytestmark = pytest.mark.claims("T7", "T8")

            @pytest.mark.claims("T7", holds=False)
            def test_it(lab):
                pass
            """
        )
        result = runs.run()
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            [
                "pytest.mark.claims('T7', 'T8'): another marker of this scenario says the contrary "
                "of 'T7': one run cannot show both, so make two scenarios",
                '  write it like this: pytest.mark.claims("T7", holds=False)',
            ]
        )

    def test_some_can_be_chosen_by_name(self, runs: Runs) -> None:
        runs.write(CONNECTED + FAILING)
        runs.run("-k", "established").assert_outcomes(passed=1, deselected=1)


class TestMarkers:
    def test_topology_makes_the_hosts_the_router_and_captures_loopback(self, runs: Runs) -> None:
        runs.write(
            """
            @pytest.mark.topology(hosts=("a", "b", "c"))
            def test_hosts(lab):
                assert list(lab.hosts) == ["a", "b", "c"]

            @pytest.mark.topology(router=True)
            def test_router_by_marker(lab):
                assert "router" in lab.hosts

            def test_router_by_name(lab, router):
                assert router.name == "router"

            def test_no_router(lab):
                assert "router" not in lab.hosts

            @pytest.mark.topology(loopback=True)
            def test_loopback(lab, client):
                client.connect(client.listen(port=80)).server.reaches(ESTABLISHED)
                lab.sees("localhost > localhost: Flags [S]")

            def test_no_loopback(lab, client):
                client.connect(client.listen(port=80)).server.reaches(ESTABLISHED)
                lab.settle()
                assert lab.timeline.wire == []
            """
        )
        runs.run().assert_outcomes(passed=6)

    @pytest.mark.parametrize("required", [False, True])
    def test_a_missing_program_skips_or_with_lab_require_is_an_error(
        self, runs: Runs, required: bool
    ) -> None:
        runs.write(
            """
            @pytest.mark.programs("python3")
            @pytest.mark.programs("no-such-program")
            def test_it(lab):
                pass
            """
        )
        result = runs.run("-rs", *(["--lab-require"] if required else []))
        result.assert_outcomes(**({"errors": 1} if required else {"skipped": 1}))
        result.stdout.fnmatch_lines(["*no-such-program is not installed*"])


class TestFailure:
    def test_says_what_was_expected_and_shows_what_was_seen(self, runs: Runs) -> None:
        runs.write(FAILING)
        result = runs.run()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                ">       connection.server.reaches(CLOSING, seconds=0.3)",
                "E *ExpectationFailed: server.16868 (to client.*) did not reach CLOSING*",
                "E *  expected  CLOSING",
                "E *  seen      FIN_WAIT1 since *",
                "test_it.py:*: ExpectationFailed",
                "*lab: The server never gets to CLOSING.*",
                "The wire:",
                " *client.* server.16868",
                "*== A connection is established.",
                "*|---- ?S? seq 0 -*->|",
                "*client: iptables -A INPUT -s server -j DROP",
                "*== The server closes.",
                "*| *-A INPUT -s server -j DROP x--- ?F.? seq 1, ack 1 -*|",
                "*iptables -A INPUT -s server -j DROP: so far * packet*",
                "client.*  ESTABLISHED *server.16868  FIN_WAIT1",
                "kernel    Linux *",
                "settings  client: net.ipv4.tcp_retries2 = 8 (was 15)",
                "evidence  /*",
                "again     pytest 'test_it.py::test_never_closing?ipv4?' --lab-keep",
            ]
        )
        result.stdout.fnmatch_lines(["*FIN_WAIT1 |"])  # before its FIN, where the kernel tells it
        result.stdout.no_fnmatch_line("*harness/sockstates/lab*")
        result.stdout.no_fnmatch_line("*sockstates/plugin*")
        (evidence,) = (line[10:] for line in result.outlines if line.startswith("evidence"))
        folder = runs.folder / evidence
        assert {"timeline.txt", "client.pcapng", "server.pcapng"} <= {
            path.name for path in folder.iterdir()
        }
        assert "so far" in (folder / "timeline.txt").read_text()
        first = result.outlines.index("The wire:")
        last = next(i for i, line in enumerate(result.outlines) if "short test summary" in line)
        section = result.outlines[first:last]
        assert max(len(line) for line in section if not line.startswith("evidence")) <= 80

    def test_the_whole_traceback_is_there_for_who_asks_for_it(self, runs: Runs) -> None:
        runs.write(FAILING)
        result = runs.run("--full-trace")
        result.stdout.fnmatch_lines(["*harness/sockstates/lab/observed.py:*: ExpectationFailed"])

    def test_an_error_in_the_harness_keeps_its_traceback(self, runs: Runs) -> None:
        runs.write("def test_it(lab):\n    lab.wait_until(None, 'nothing', 1)\n")
        runs.run().stdout.fnmatch_lines(["*harness/sockstates/lab/lab.py:*: TypeError"])

    def test_a_failed_call_that_nobody_judged_fails_the_scenario(self, runs: Runs) -> None:
        runs.write(
            """
            def test_it(lab, client, server):
                client.connect(server, port=99)
                lab.sees("server > client: Flags [R.]")
            """
        )
        result = runs.run()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["at the scenario's end: *connect on client failed with ECONNREFUSED*"]
        )
        result.stdout.no_fnmatch_line("*sockstates/plugin*")


class TestFiles:
    @pytest.mark.parametrize("workers", [(), ("-n", "2"), ("-p", "no:xdist")])
    def test_lab_report_keeps_the_evidence_of_every_scenario(
        self, runs: Runs, workers: tuple[str, ...]
    ) -> None:
        runs.write(CONNECTED + FAILING)
        result = runs.run("--lab-report", "out", *workers)
        result.assert_outcomes(passed=1, failed=1)
        folders = {path.name for path in (runs.folder / "out").iterdir() if path.is_dir()}
        assert folders == {"test_it-test_established-ipv4", "test_it-test_never_closing-ipv4"}
        for name in folders:
            timeline = (runs.folder / "out" / name / "timeline.txt").read_text()
            assert "Flags [S], seq" in timeline
            assert (runs.folder / "out" / name / "server.pcapng").stat().st_size > 400
        result.stdout.fnmatch_lines([f"evidence  {runs.folder}/out/test_it-test_never_closing*"])

    def test_without_it_a_scenario_that_passes_leaves_nothing(self, runs: Runs) -> None:
        runs.write(CONNECTED)
        runs.run("--basetemp", "temporary").assert_outcomes(passed=1)
        assert not list((runs.folder / "temporary").rglob("*.pcapng"))


def test_workers_keep_their_labs_apart(runs: Runs) -> None:
    runs.write(
        """
        @pytest.mark.parametrize("number", range(6))
        def test_it(lab, client, server, number):
            connection = client.connect(server.listen(port=80))
            connection.server.reaches(ESTABLISHED)
            connection.client.send(b"x" * (number + 1))
            connection.server.receives(b"x" * (number + 1))
            lab.settle()
            assert {each.length for each in lab.timeline.wire} == {0, number + 1}
            assert len({each.source for each in lab.timeline.wire}) == 2
        """
    )
    runs.run("-n", "3").assert_outcomes(passed=6)
