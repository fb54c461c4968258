"""A run that proves nothing is red: once, early, with the reason; skips are summed up."""

from xml.etree import ElementTree

import pytest

from tests.scenario_runs import CONNECTED, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
SEVERAL = """
@pytest.mark.parametrize("number", range(4))
def test_it(lab, number):
    pass
"""
WITHOUT_A_LAB = """
def test_something_else():
    pass
"""
MISSING = """
@pytest.mark.programs("no-such-program")
@pytest.mark.parametrize("number", range(3))
def test_program(lab, number):
    pass

@pytest.mark.programs("no-such-program", "nor-this-one")
def test_another(lab):
    pass
"""
ONE_ERROR = "ERROR every scenario - *"
SUMMARY = "*skipped scenarios (4)*"
WORKERS = [(), ("-n", "2")]


def run_refused(runs: Runs, *arguments: str) -> pytest.RunResult:
    """Run pytest where nobody may make a network namespace: in a user namespace of its own."""
    forbid = 'echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"'
    limited = ("unshare", "--user", "--map-root-user", "--fork", "sh", "-c", forbid, "sh")
    return runs.run_command(*limited, *runs.command(*arguments))


def assert_is_red_once(result: pytest.RunResult) -> None:
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=1)
    assert len([line for line in result.outlines if line.startswith("ERROR ")]) == 1
    result.stdout.fnmatch_lines(
        [
            "this process is not allowed to make a lab: *No space left on device.",
            "What this machine can do for a lab",
            "  LACK  lab *",
            ONE_ERROR,
        ]
    )
    # The advice is wrapped, and begins with where to type it: here, or outside of a container.
    assert "sysctl -w user.max_net_namespaces=" in " ".join(result.stdout.str().split())


@pytest.mark.parametrize("workers", WORKERS)
def test_where_no_lab_can_be_made_scenarios_alone_are_one_error(
    runs: Runs, workers: tuple[str, ...]
) -> None:
    runs.write(SEVERAL)
    result = run_refused(runs, *workers, "--junitxml", "out.xml")
    assert_is_red_once(result)
    (case,) = ElementTree.parse("out.xml").iter("testcase")
    assert case.find("error") is not None


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("how", ["CI", "--lab-require"])
def test_where_a_lab_is_required_it_is_one_error_before_any_test(
    runs: Runs, workers: tuple[str, ...], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.write(WITHOUT_A_LAB + SEVERAL)
    if how == "CI":
        monkeypatch.setenv("CI", "true")
        assert_is_red_once(run_refused(runs, *workers))
    else:
        assert_is_red_once(run_refused(runs, *workers, how))


@pytest.mark.parametrize("workers", WORKERS)
def test_beside_other_tests_scenarios_are_skipped_and_the_reason_is_told_once(
    runs: Runs, workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "false")
    runs.write(WITHOUT_A_LAB + SEVERAL)
    result = run_refused(runs, *workers)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines([SUMMARY, "   4  this process is not allowed to make a lab:*"])
    assert result.stdout.str().count("this process is not allowed to make a lab") == 1
    result.stdout.no_fnmatch_line("*counts as failed*")


@pytest.mark.parametrize("workers", WORKERS)
def test_each_reason_is_told_once_with_its_count(runs: Runs, workers: tuple[str, ...]) -> None:
    runs.write(CONNECTED + MISSING)
    result = runs.run(*workers)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, skipped=4)
    assert result.stdout.str().count("no-such-program is not installed") == 2
    result.stdout.fnmatch_lines(["   1  no-such-program is not *", "*; nor-this-one is not *"])
    result.stdout.fnmatch_lines([SUMMARY, "   3  no-such-program is not installed*"])


@pytest.mark.parametrize("workers", WORKERS)
def test_a_run_whose_scenarios_were_all_skipped_is_red(
    runs: Runs, workers: tuple[str, ...]
) -> None:
    runs.write(MISSING)
    result = runs.run(*workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines([SUMMARY, "   3  *", "   1  *", "Every scenario was skipped: *"])


@pytest.mark.parametrize("workers", WORKERS)
def test_what_is_required_and_missing_is_one_error_with_counts(
    runs: Runs, workers: tuple[str, ...]
) -> None:
    runs.write(CONNECTED + MISSING)
    result = runs.run("--lab-require", *workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "--lab-require, and programs are missing:",
            "  no-such-program is not installed* (tests: 4)",
            "  nor-this-one is not installed* (tests: 1)",
            ONE_ERROR,
        ]
    )


def test_an_expected_failure_has_run(runs: Runs) -> None:
    runs.write("@pytest.mark.xfail\ndef test_it(lab):\n    raise AssertionError\n")
    result = runs.run()
    result.assert_outcomes(xfailed=1)
    assert result.ret == pytest.ExitCode.OK
