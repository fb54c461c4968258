"""Could it have failed? ``--lab-without-cause`` in runs where it makes the difference.

The option itself must be able to fail: most of these scenarios are ones that it must not let pass.
"""

import re
from inspect import signature
from xml.etree import ElementTree

import pytest

from sockstates import Host, Lab
from sockstates.lab.link import lacking_netem
from sockstates.lab.withholding import UNSAID, VERBS, Cause, Withholding
from tests.cause_scenarios import DROPPED, EVERY_VERB, INDIFFERENT, NOTHING_THERE
from tests.scenario_runs import HEAD, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
OPTION = "--lab-without-cause"
NEED_NETEM = ("link", "link.delete")
"""Verbs that not every kernel can do."""
FAILED_AS_IT_MUST = "*without its cause, each of these failed as it must*"
PROVED_NOTHING = "*without its cause, these proved nothing*"


@pytest.mark.families("ipv4")
def test_every_verb_can_be_withheld_and_what_depends_on_it_fails(lab: Lab, runs: Runs) -> None:
    runs.write(EVERY_VERB)
    verbs = re.findall(r'mark\.cause\("\w+\.([a-z_.]+)"', EVERY_VERB)
    assert set(verbs) == VERBS.keys()
    absent = {verb for verb in VERBS if verb in NEED_NETEM and lacking_netem(lab)}
    outcomes = {"passed": len(verbs) - len(absent), "skipped": len(absent)}
    runs.run("-n", "2").assert_outcomes(**outcomes)
    result = runs.run("-n", "2", OPTION)
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines([FAILED_AS_IT_MUST])
    result.stdout.no_fnmatch_line(PROVED_NOTHING)
    for verb in VERBS.keys() - absent:
        result.stdout.fnmatch_lines(
            [f"test_it.py::test_{verb.replace('.', '_')}?ipv4?", f"    *.{verb}*: *"]
        )
    result.stdout.fnmatch_lines(
        [
            "    client.close: * did not reach FIN_WAIT2 *",
            "    client.connect: * did not reach LISTEN *",
            "    client.iptables: assert 0 > 0",
            "    server.listen: connect on client failed",
            "    server.listen with 9 instead of 'backlog': *.80 did not reach LISTEN*",
            "    server.start: *.80 did not reach LISTEN *",
            "    server.start with 'good bye' instead of 'hello':*",
        ],
        consecutive=False,
    )


class TestVerdict:
    def test_it_is_green_when_an_expectation_fails(self, runs: Runs) -> None:
        runs.write(DROPPED)
        result = runs.run(OPTION)
        result.assert_outcomes(passed=1)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines(
            [
                FAILED_AS_IT_MUST,
                "test_it.py::test_dropped?ipv4?",
                "    client.iptables: client* did not stay SYN_SENT*",
            ]
        )
        table = result.outlines[result.outlines.index("test_it.py::test_dropped[ipv4]") :]
        assert max(map(len, table)) <= 80

    def test_it_is_red_when_nothing_is_there_that_could_have_met_it(self, runs: Runs) -> None:
        runs.write(NOTHING_THERE)
        names = re.findall(r"def (test_\w+)", NOTHING_THERE)
        runs.run("-n", "2").assert_outcomes(passed=len(names) - 1, failed=1)
        result = runs.run(OPTION, "-n", "2")
        result.assert_outcomes(failed=len(names))
        result.stdout.fnmatch_lines_random(
            [f"*::{name}?ipv4?: proves nothing: without its cause, *" for name in names]
        )
        result.stdout.fnmatch_lines_random(
            [
                "*::test_no_segments?ipv4?: *there is not even any segment or any connection that*",
                "*Name what makes the difference instead: another call, or a part of this one*",
            ]
        )

    def test_without_the_option_nothing_is_withheld(self, runs: Runs) -> None:
        runs.write(DROPPED + INDIFFERENT)
        result = runs.run()
        result.assert_outcomes(passed=2)
        result.stdout.no_fnmatch_line(FAILED_AS_IT_MUST)

    @pytest.mark.parametrize("workers", [(), ("-n", "2")])
    def test_it_is_red_when_a_scenario_still_passes(
        self, runs: Runs, workers: tuple[str, ...]
    ) -> None:
        runs.write(DROPPED + INDIFFERENT)
        result = runs.run(OPTION, *workers)
        result.assert_outcomes(passed=1, failed=1)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(
            [
                "still passes without its cause, server.close: it proves nothing.",
                "*lab: A module's title.*",
                FAILED_AS_IT_MUST,
                "test_it.py::test_dropped?ipv4?",
                PROVED_NOTHING,
                "test_it.py::test_indifferent?ipv4?: still passes without its cause, server.close*",
            ]
        )

    def test_those_chosen_by_name_are_judged_alone(self, runs: Runs) -> None:
        runs.write(DROPPED + INDIFFERENT)
        runs.run(OPTION, "-k", "dropped").assert_outcomes(passed=1, deselected=1)
        runs.run(OPTION, "-k", "indiff").assert_outcomes(failed=1, deselected=1)

    def test_it_is_red_when_anything_but_an_expectation_fails(self, runs: Runs) -> None:
        runs.write(
            """
            import json
            from sockstates import Inconclusive

            pytestmark = [pytest.mark.families("ipv4"), pytest.mark.cause("client.iptables")]

            def test_crashes(lab, client):
                client.iptables("-A INPUT -j DROP")
                json.loads("{")

            def test_lab_error(lab, client):
                client.iptables("-A INPUT -j DROP")
                client.sysctl("net.ipv4.no_such_setting")

            def test_undecided(lab, client):
                client.iptables("-A INPUT -j DROP")
                raise Inconclusive("nobody looked")

            def test_a_librarys_assert(lab, client, monkeypatch):
                client.iptables("-A INPUT -j DROP")
                from unittest.mock import Mock
                Mock().assert_called_once()

            def test_undecided_at_its_end(lab, client, monkeypatch):
                client.iptables("-A INPUT -j DROP")
                monkeypatch.setattr(lab, "doubt", lambda: "the capture is torn")

            def test_pytest_fails(lab, client):
                client.iptables("-A INPUT -j DROP")
                pytest.fail("something else")
            """
        )
        result = runs.run(OPTION)
        result.assert_outcomes(failed=6)
        crash = "crashes, and no expectation fails"
        result.stdout.fnmatch_lines(
            [
                PROVED_NOTHING,
                f"*::test_crashes?ipv4?: {crash}: JSONDecodeError: Expecting*",
                f"*::test_lab_error?ipv4?: {crash}: LabError: client: a host has*",
                "*::test_undecided?ipv4?: cannot decide: nobody looked",
                f"*::test_a_librarys_assert?ipv4?: {crash}: AssertionError: *",
                "*::test_undecided_at_its_end?ipv4?: cannot decide: the capture is torn",
                "*::test_pytest_fails?ipv4?: something else",
            ]
        )

    def test_it_is_red_when_the_cause_is_missing_or_never_reached(self, runs: Runs) -> None:
        runs.write(
            """
            def test_names_none(lab, client):
                raise ExpectationFailed("never run")

            @pytest.mark.cause("client.close")
            def test_passes_before(lab, client):
                pass

            @pytest.mark.cause("client.close")
            def test_fails_before(lab, client, server):
                client.connect(server.listen()).client.reaches(CLOSING, seconds=0.1)

            @pytest.mark.cause("other.iptables")
            def test_another_host(lab, client):
                client.iptables("-A INPUT -j DROP")
                assert False, "for another reason"
            """
        )
        result = runs.run(OPTION)
        result.assert_outcomes(failed=4)
        never = "names a cause that it never reaches"
        result.stdout.fnmatch_lines(
            [
                PROVED_NOTHING,
                "*::test_names_none?ipv4?: names no cause: *",
                f"*::test_passes_before?ipv4?: {never}: client.close; it passed",
                f"*::test_fails_before?ipv4?: {never}: client.close; it fails without that, too: *",
                f"*::test_another_host?ipv4?: {never}: other.iptables; it fails without*: for *",
            ]
        )
        result.stdout.no_fnmatch_line("*never run*")

    def test_what_fails_at_the_scenarios_end_is_an_expectation_too(self, runs: Runs) -> None:
        runs.write(
            """
            @pytest.mark.cause("client.iptables")
            def test_it(lab, client, server):
                client.iptables("-A OUTPUT -j DROP")
                client.connect(server, port=99)
                lab.stays_quiet(seconds=0)
                lab.settle()
            """
        )
        runs.run().assert_outcomes(passed=1)
        result = runs.run(OPTION)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["    client.iptables: at its end: connect on client failed*"])

    def test_a_missing_program_is_skipped_or_required(self, runs: Runs) -> None:
        runs.write(
            """
            @pytest.mark.cause("client.start")
            @pytest.mark.programs("no-such-program")
            def test_it(lab, client):
                client.start("no-such-program")
            """
        )
        runs.run(OPTION).assert_outcomes(skipped=1)
        runs.run(OPTION, "--lab-require").assert_outcomes(errors=1)

    def test_what_is_no_scenario_runs_as_ever(self, runs: Runs) -> None:
        runs.write("def test_passes(): pass\ndef test_fails(): assert False")
        result = runs.run(OPTION)
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.no_fnmatch_line(FAILED_AS_IT_MUST)
        result.stdout.no_fnmatch_line(PROVED_NOTHING)

    def test_junit_carries_what_was_withheld_and_what_failed(self, runs: Runs) -> None:
        runs.write(DROPPED + INDIFFERENT)
        runs.run(OPTION, "--junitxml", "out.xml", "-n", "2")
        cases = ElementTree.parse(runs.folder / "out.xml").getroot().iter("testcase")
        found = {
            case.get("name"): {
                each.get("name"): each.get("value") for each in case.iter("property")
            }
            for case in cases
        }
        dropped, indifferent = found["test_dropped[ipv4]"], found["test_indifferent[ipv4]"]
        assert dropped["withheld"] == "client.iptables"
        assert "did not stay SYN_SENT" in (dropped["failed_by"] or "")
        assert "proves_nothing" not in dropped
        assert "still passes" in (indifferent["proves_nothing"] or "")


class TestMarker:
    def test_one_of_several_calls_can_be_the_cause(self, runs: Runs) -> None:
        runs.write(
            """
            @pytest.mark.cause("client.iptables", occurrence=2, stands_for="the deaf client")
            def test_second(lab, client, server):
                first = client.iptables("-A INPUT -s 203.0.113.1 -j DROP")
                second = client.iptables("-A INPUT -s server -j DROP")
                assert type(first).__name__ == "Rule"
                client.connect(server.listen(port=80)).client.stays(SYN_SENT, seconds=0.2)
            """
        )
        result = runs.run(OPTION)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["    client.iptables, number 2 (the deaf client): client*"])

    def test_wrong_ones_are_one_clear_error_each(self, runs: Runs) -> None:
        wrong = {
            "cause()": "it takes one call, a host and a verb",
            "cause(1)": "it takes one call, a host and a verb",
            "cause('iptables')": "'iptables' is not a host and a verb, joined by a dot",
            "cause('client.explode')": "'explode' is not a call. The calls are iptables, sysctl, *",
            "cause('client.close', number=2)": "there is no 'number', only occurrence, without, *",
            "cause('client.kill', without='now')": "kill has no argument 'now', only (none)",
            "cause('server.listen', without='back')": "listen has no argument 'back', only port, *",
            "cause('server.listen', instead=5)": "instead says what stands in the place of what *",
            "cause('client.start', without='-v', instead=5)": "instead is 5, not words to stand *",
            "cause('client.close', occurrence=0)": "occurrence counts from 1, so it cannot be 0",
            "cause('client.close', occurrence='2')": "occurrence is '2', not a number",
            "cause('client.close', stands_for='')": "stands_for is '', not a sentence",
        }
        for number, marker in enumerate(wrong):
            runs.write(
                f"@pytest.mark.{marker}\ndef test_it(lab):\n    pass\n",
                name=f"test_wrong{number}",
                head=HEAD.replace("pytestmark", "unused"),
            )
        result = runs.run()
        result.assert_outcomes(errors=len(wrong))
        for number, (marker, problem) in enumerate(wrong.items()):
            result.stdout.fnmatch_lines(
                [
                    f"pytest.mark.{marker}: {problem}",
                    '  write it like this: pytest.mark.cause("client.iptables")',
                    f"  in test_wrong{number}.py*",
                ]
            )


@pytest.mark.parametrize(
    ("command", "without", "instead", "left"),
    [
        ("curl --max-time 2 url", "--max-time 2 ", UNSAID, "curl url"),
        (["curl", "--max-time", "2", "url"], "--max-time 2", UNSAID, ["curl", "url"]),
        (["curl", "-v", "url"], "-v", "-s -S", ["curl", "-s", "-S", "url"]),
        (["python", "-c", "wait(5)"], "5", "7", ["python", "-c", "wait(7)"]),
        (["curl", "url"], "--max-time 2", UNSAID, None),
    ],
)
def test_a_part_of_a_command_is_left_out_or_replaced(
    command: object, without: str, instead: object, left: object
) -> None:
    cause = Cause.read("client.start", None, without, instead)
    given = signature(Host.start).bind(None, command, directory="/")
    altered = cause.altered(given)
    assert (altered and altered.arguments) == (
        left and {"self": None, "command": left, "directory": "/"}
    )


def test_a_verb_is_what_it_was_when_the_scenario_is_over() -> None:
    real = Host.iptables
    with Withholding(Cause.read("client.iptables")).active():
        assert Host.iptables is not real
    assert Host.iptables is real
