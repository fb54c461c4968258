"""``pytest.mark.kernel``: skipped where the kernel lacks what a scenario is about."""

import pytest

from sockstates import Lab
from sockstates.lab.kernel_parts import lacking_setting, too_old, version_order
from tests.scenario_runs import Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]


@pytest.mark.parametrize(
    ("release", "older"),
    [("6.1.192", True), ("6.9", True), ("6.17.0-rc1", True), ("6.18.0", False), ("7.3", False)],
)
def test_versions_are_numbers(release: str, older: bool) -> None:
    expected = f"Linux {release} is older than 6.18: it answers." if older else ""
    assert too_old(release, "6.18", "it answers.") == expected


def test_what_is_no_release_is_refused() -> None:
    with pytest.raises(ValueError, match="not a kernel release"):
        version_order("newest")


@pytest.mark.families("ipv4")
def test_a_setting_is_looked_for_on_every_host(lab: Lab) -> None:
    assert lacking_setting("net.ipv4.tcp_syn_retries")(lab) == ""
    assert lacking_setting("net.ipv4.no_such")(lab).endswith("has no setting net.ipv4.no_such")
    del lab.settings["server"]["net.ipv4.tcp_syn_retries"]
    assert lacking_setting("net.ipv4.tcp_syn_retries")(lab)


@pytest.mark.parametrize("options", [(), ("--lab-require",)])
def test_a_scenario_is_skipped_with_the_reason(runs: Runs, options: tuple[str, ...]) -> None:
    runs.write(
        """
        from sockstates.lab.kernel_parts import KERNEL_PARTS, lacking_setting
        KERNEL_PARTS["tcp_syn_linear_timeouts"] = lacking_setting("net.ipv4.no_such")

        @pytest.mark.kernel("tcp_syn_linear_timeouts")
        def test_it(lab):
            raise AssertionError
        """
    )
    result = runs.run("-rs", *options)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * has no setting net.ipv4.no_such"])
