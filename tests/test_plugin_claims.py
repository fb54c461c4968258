"""``--lab-claims`` and the ledger in real runs of pytest: what is printed, and when it is red."""

import json
from collections.abc import Sequence

import pytest

from tests.scenario_runs import Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
WIDTH = 80
LEDGER = """
[article]
title = "An article"

[[claim]]
id = "A1"
says = "It is established."
verdict = "holds"

[[claim]]
id = "A2"
says = "It is closed at once."
verdict = "false here"
instead = "it is established"
"""
SHOWN = """
@pytest.mark.claims("A1")
@pytest.mark.claims("A2", holds=False)
def test_established(lab, client, server):
    connection = client.connect(server.listen(port=80))
    lab.figure(connection.client.reaches(ESTABLISHED))
"""
QUICK = """
@pytest.mark.claims({claims})
def test_quick(lab):
    lab.figure("one")
"""
WHOLE = ("--lab-claims", "-o", "testpaths=.")


@pytest.fixture
def ledger(runs: Runs) -> Runs:
    """A folder with a ledger."""
    add_ledger(runs, LEDGER)
    return runs


def add_ledger(runs: Runs, text: str, folder: str = "claims", name: str = "one") -> None:
    (runs.folder / folder).mkdir(parents=True, exist_ok=True)
    (runs.folder / folder / f"{name}.toml").write_text(text, encoding="utf-8")


def red(result: pytest.RunResult, *lines: str) -> None:
    """The run passed, and is red by the ledger, for these reasons and no other."""
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    outcomes = result.parseoutcomes()
    assert "failed" not in outcomes
    begins = next(n for n, line in enumerate(result.outlines) if "ledger and run disagree" in line)
    assert result.outlines[begins + 1 : -1] == list(lines)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_ledger_is_printed_with_what_the_run_says(ledger: Runs, workers: Sequence[str]) -> None:
    ledger.write(SHOWN)
    result = ledger.run(*WHOLE, *workers)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*= what is claimed, and what this run says of it =*",
            "",
            "An article (one)",
            "",
            "A1   It is established.",
            "     verdict    holds",
            "     figure     client.* ESTABLISHED, owner process 1",
            "     shown by   test_established",
            "",
            "A2   It is closed at once.",
            "     verdict    false here. Instead: it is established",
            "     instead    client.* ESTABLISHED, owner process 1",
            "     shown by   test_established",
            "",
            "2 claims: 1 holds, 1 is false here",
        ],
        consecutive=True,
    )
    begins = next(n for n, line in enumerate(result.outlines) if "An article" in line)
    assert max(map(len, result.outlines[begins:-1])) <= WIDTH


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_run_that_contradicts_the_ledger_is_red(ledger: Runs, workers: Sequence[str]) -> None:
    ledger.write(QUICK.format(claims='"A1", "A2"'))
    red(
        ledger.run(*WHOLE, *workers),
        "A2: the ledger says 'false here', this run 'holds': test_quick shows that it",
        "    holds",
    )


def test_a_claim_without_a_scenario_is_red_in_a_whole_run_only(ledger: Runs) -> None:
    ledger.write(QUICK.format(claims='"A1"'))
    red(
        ledger.run(*WHOLE),
        'A2: no scenario names it: mark one with pytest.mark.claims("A2")',
    )
    for selection in (["-k", "quick"], ["test_it.py"], ["--deselect", "test_it.py::test_no"]):
        result = ledger.run(*WHOLE, *selection)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines(
            [
                "     verdict    holds (in a part of the scenarios)",
                "     verdict    not run; the ledger says: false here",
                "2 claims: 1 holds, 1 was not run",
            ]
        )


def test_a_claim_without_a_figure_is_red(ledger: Runs) -> None:
    ledger.write(SHOWN.replace("lab.figure(", "("))
    red(
        ledger.run(*WHOLE),
        "A1: no figure proves it: keep one with lab.figure(…) in test_established",
        "A2: no figure proves it: keep one with lab.figure(…) in test_established",
    )


def test_a_scenario_that_failed_is_named(ledger: Runs) -> None:
    ledger.write(SHOWN + QUICK.format(claims='"A1"') + "    assert False\n")
    result = ledger.run(*WHOLE)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*ledger and run disagree*", "A1: failed: test_quick"])


def test_what_could_not_run_was_not_run(ledger: Runs) -> None:
    ledger.write('@pytest.mark.programs("no-such-program")' + QUICK.format(claims='"A1", "A2"'))
    result = ledger.run(*WHOLE)
    assert result.ret == pytest.ExitCode.TESTS_FAILED, "a run of skips alone shows nothing"
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["2 claims: 2 were not run"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_claim_that_no_ledger_has_is_an_error_of_its_file(
    ledger: Runs, workers: Sequence[str]
) -> None:
    ledger.write(QUICK.format(claims='"a1"'))
    result = ledger.run(*workers)
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "pytest.mark.claims: there is no claim 'a1' in the ledger (one); did you mean 'A1'?",
            "  in test_it.py::test_quick",
        ]
    )
    result.stdout.no_fnmatch_line("*plugin_ledger.py*")


def test_a_claim_of_one_parameter_that_no_ledger_has_is_red(ledger: Runs) -> None:
    ledger.write(
        SHOWN
        + """
@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.claims("A3"))])
def test_quick(lab, number):
    pass
"""
    )
    red(
        ledger.run(*WHOLE),
        "A3: no ledger has this claim, named by test_quick",
    )


def test_without_a_ledger_nothing_is_asked_of_claims(runs: Runs) -> None:
    runs.write(QUICK.format(claims='"whatever"'))
    assert runs.run().ret == pytest.ExitCode.OK
    result = runs.run("--lab-claims")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --lab-claims: there is no ledger: no claims/[*].toml beside what is run *"]
    )


def test_a_wrong_ledger_is_one_message(ledger: Runs) -> None:
    add_ledger(ledger, LEDGER.replace('"holds"', '"hold"'), name="two")
    ledger.write(QUICK.format(claims='"A1"'))
    result = ledger.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [
        "ERROR: the ledger of claims cannot be used:",
        f"{ledger.folder}/claims/two.toml: claim A1: there is no verdict 'hold', only 'holds', "
        "'holds under a condition', 'false here'; did you mean 'holds'?",
    ]


def test_another_ledger_can_be_named(ledger: Runs) -> None:
    add_ledger(ledger, LEDGER.replace('"A', '"B'), folder="elsewhere")
    ledger.write(QUICK.format(claims='"B1"'))
    result = ledger.run("--lab-claims", "--lab-ledger", "elsewhere", "-k", "quick")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["B1   It is established."])
    for folder, problem in {
        "nowhere": "there is no such folder",
        ".": "no *.toml is in this folder",
    }.items():
        result = ledger.run("--lab-ledger", folder)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        (line,) = (line for line in result.errlines if line)
        assert f": {problem}; each article's claims are one TOML file" in line


def test_the_ledger_is_the_one_beside_the_scenarios_that_are_run(ledger: Runs) -> None:
    add_ledger(ledger, LEDGER.replace('"A', '"B'), folder="own/claims")
    (ledger.folder / "own" / "inner").mkdir()
    scenario = "import pytest\n" + QUICK.format(claims='"B2"')
    (ledger.folder / "own" / "inner" / "test_own.py").write_text(scenario)
    result = ledger.run("--lab-claims", "own")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["B1: no scenario names it: *", "B2: the ledger says 'false here', this run 'holds': *"]
    )
    result.stdout.no_fnmatch_line("A1 *")


def test_without_causes_no_claim_is_proved(ledger: Runs) -> None:
    ledger.write(QUICK.format(claims='"A1"'))
    result = ledger.run("--lab-claims", "--lab-without-cause")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --lab-claims and --lab-without-cause: *"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_report_has_the_ledger(ledger: Runs, workers: Sequence[str]) -> None:
    ledger.write(SHOWN)
    out = ledger.folder / "out"
    ledger.run("-o", "testpaths=.", "--lab-report", "out", *workers)
    page = (out / "claims.html").read_text()
    assert 'href="test_it-test_established-ipv4/page.html"' in page
    assert 'href="claims.html#claim-A2"' in (out / "index.html").read_text()
    scenario = (out / "test_it-test_established-ipv4" / "page.html").read_text()
    assert 'href="../claims.html#claim-A1"' in scenario
    (article,) = json.loads((out / "claims.json").read_text())["articles"]
    runs = [claim["run"] for claim in article["claims"]]
    assert [run["verdict"] for run in runs] == ["holds", "false here"]
    assert all(run["whole"] and not run["problems"] for run in runs)
    assert "ESTABLISHED" in runs[0]["shown_by"][0]["figures"][0]
    (ledger.folder / "claims" / "one.toml").unlink()
    ledger.run("-o", "testpaths=.", "--lab-report", "out")
    assert not (out / "claims.html").exists()
    assert not (out / "claims.json").exists()
