"""``--lab-defaults`` and the marker ``shortened``: what is written, left out, and warned of."""

import pytest

from sockstates.plugin.defaults import advance_notice, longest_wait, span
from sockstates.system import VIRTUAL
from tests.scenario_runs import HEAD, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
OPTION = "--lab-defaults"
WARNED = "warning: default timers: 1 scenario waits for them, 148 s at most, *test_it?ipv4?*"

SHORTENED = """
@pytest.mark.shortened(client={"net.ipv4.tcp_syn_retries": 1})
def test_it(lab, client, server):
    print("retries:", lab.settings["client"]["net.ipv4.tcp_syn_retries"])
    print("server:", server.sysctl("net.ipv4.tcp_syn_retries"))
    pytest.fail("so that what was printed is shown")
"""
LONG = "\ndef test_other(lab):\n    pass\n"


def test_settings_are_written_when_the_lab_opens_and_shown(runs: Runs) -> None:
    runs.write(SHORTENED)
    result = runs.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["retries: 1", "server: 6"])
    result.stdout.fnmatch_lines(["settings  client: net.ipv4.tcp_syn_retries = 1 (was 6)"])
    result.stdout.no_fnmatch_line("*default timers*")
    result.stdout.no_fnmatch_line("again * --lab-defaults *")


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_with_the_option_they_are_left_out_and_it_warns_first(
    runs: Runs, workers: tuple[str, ...]
) -> None:
    runs.write(SHORTENED + LONG)
    result = runs.run(OPTION, *workers)
    result.assert_outcomes(failed=1, passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["lab: default timers", WARNED, "retries: 6", "settings  as in every lab"]
    )
    result.stdout.fnmatch_lines(["again * --lab-defaults --lab-keep"])
    lines = result.outlines
    assert sum(line.startswith("warning: ") for line in lines) == 1
    warned = next(index for index, line in enumerate(lines) if line.startswith("warning: "))
    assert not any("[100%]" in line for line in lines[:warned])


def test_where_nothing_waits_or_time_is_virtual_nobody_is_warned(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.write(SHORTENED + LONG)
    runs.run(OPTION, "-k", "other").assert_outcomes(passed=1, deselected=1, warnings=0)
    monkeypatch.setenv(VIRTUAL, "1")
    result = runs.run(OPTION)
    result.assert_outcomes(failed=1, passed=1, warnings=0)
    result.stdout.fnmatch_lines(["lab: default timers", "retries: 6"])


def test_the_nearest_marker_counts_and_a_router_can_have_one(runs: Runs) -> None:
    runs.write(
        """
        pytestmark = [
            pytest.mark.families("ipv4"),
            pytest.mark.shortened(
                client={"net.ipv4.tcp_retries2": 3, "net.ipv4.tcp_fin_timeout": 5}
            ),
        ]

        @pytest.mark.shortened(client={"net.ipv4.tcp_fin_timeout": 7})
        @pytest.mark.shortened(router={"net.ipv4.tcp_fin_timeout": 9})
        def test_it(lab, client, router):
            assert client.sysctl("net.ipv4.tcp_retries2") == "3"
            assert client.sysctl("net.ipv4.tcp_fin_timeout") == "7"
            assert router.sysctl("net.ipv4.tcp_fin_timeout") == "9"
        """
    )
    runs.run().assert_outcomes(passed=1)


def test_wrong_ones_are_one_clear_error_each(runs: Runs) -> None:
    retries = '"net.ipv4.tcp_syn_retries"'
    right = f"shortened(client={{{retries}: 1}})"
    wrong = {
        "shortened()": "it takes hosts by name, each with its settings",
        f"shortened({{{retries}: 1}})": "it takes hosts by name, each with its settings",
        "shortened(client=1)": "client has no settings with values: 1",
        "shortened(client={})": "client has no settings with values: {}",
        'shortened(client={"net.ipv4.tcp_ecn": 0})': "client: 'net.ipv4.tcp_ecn' is none of *",
        f'shortened(server={{{retries}: "1"}})': "server: net.ipv4.tcp_syn_retries is '1', not *",
        f"shortened(server={{{retries}: -1}})": "server: net.ipv4.tcp_syn_retries is -1, not *",
        f"shortened(server={{{retries}: 6}})": "server: with net.ipv4.tcp_syn_retries 6 nothing "
        "is shorter than with the default, 6",
        f"shortened(third={{{retries}: 1}})": "'third' is not a host of its lab: client, server, *",
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
                f"pytest.mark.{marker}: {problem}".replace('"', "'"),
                f"  write it like this: pytest.mark.{right}",
                f"  in test_wrong{number}.py*",
            ]
        )


def test_how_long_is_derived_from_the_default_settings() -> None:
    def mark(**hosts: dict[str, int]) -> pytest.Mark:
        return pytest.mark.shortened(**hosts).mark

    syn, fin = {"net.ipv4.tcp_syn_retries": 1}, {"net.ipv4.tcp_fin_timeout": 1}
    keepalive = {"net.ipv4.tcp_keepalive_time": 1, "net.ipv4.tcp_keepalive_intvl": 1}
    assert longest_wait([]) == 0
    assert longest_wait([mark(client=syn)]) == pytest.approx(131 * 1.125 + 0.02)
    both = longest_wait([mark(client=syn, server=fin)])
    assert both == pytest.approx(191 * 1.125 + 0.04)
    assert longest_wait([mark(client=keepalive)]) == pytest.approx(7875 * 1.125 + 0.02)


def test_the_notice_names_the_longest() -> None:
    assert advance_notice({}) == ""
    assert advance_notice({"test_a": 131, "test_b": 3600}) == (
        "default timers: 2 scenarios wait for them, 1 h 03 min at most, one after the other; "
        "the longest, test_b, for 1 h 00 min"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"),
        (178.5, "179 s"),
        (180.5, "4 min"),
        (3541, "1 h 00 min"),
        (8860, "2 h 28 min"),
        (432000, "5 d 0 h"),
        (86399, "1 d 0 h"),
    ],
)
def test_times_are_rounded_up(seconds: float, said: str) -> None:
    assert span(seconds) == said
