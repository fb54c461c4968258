"""What JUnit's XML carries of a scenario: its claims, the states reached, where its evidence is."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.scenario_runs import CONNECTED, FAILING, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]

Properties = dict[str, list[str]]
OPENING = {"server LISTEN", "client ESTABLISHED", "server ESTABLISHED"}


def properties(case: ElementTree.Element) -> Properties:
    found: Properties = {}
    for each in case.iter("property"):
        found.setdefault(str(each.get("name")), []).append(str(each.get("value")))
    return found


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_claims_states_and_the_way_to_the_evidence(runs: Runs, workers: tuple[str, ...]) -> None:
    runs.write(CONNECTED + FAILING + "\ndef test_no_scenario():\n    pass\n")
    runs.run("--junitxml", "out.xml", "--lab-report", "out", *workers)
    cases = {case.get("name"): case for case in ElementTree.parse("out.xml").iter("testcase")}
    failed, passed = cases["test_never_closing[ipv4]"], cases["test_established[ipv4]"]
    failure = failed.find("failure")
    assert failure is not None
    assert "did not reach CLOSING" in failure.get("message", "")
    assert passed.find("failure") is None
    said = properties(failed)
    assert said["claim"] == ["T27", "T99"]
    assert OPENING | {"server FIN_WAIT1"} <= set(said["state"])
    assert "server CLOSING" not in said["state"]
    assert len(said["state"]) == len(set(said["state"]))
    out = runs.folder / "out"
    assert said["evidence"] == [str(out / "test_it-test_never_closing-ipv4")]
    assert set(properties(passed)["state"]) >= OPENING
    assert "claim_refuted" not in said
    assert "claim" not in properties(passed)
    for case in (failed, passed):
        (page,) = properties(case)["report"]
        assert Path(page).parent.parent == out
        assert "<html" in Path(page).read_text(encoding="utf-8")
    assert not properties(cases["test_no_scenario"])


def test_a_claim_that_does_not_hold_is_named_as_such(runs: Runs) -> None:
    runs.write(FAILING.replace('"T99")', '"T99")\n@pytest.mark.claims("T7", holds=False)'))
    runs.run("--junitxml", "out.xml")
    (case,) = ElementTree.parse("out.xml").iter("testcase")
    assert sorted(properties(case)["claim"]) == ["T27", "T7", "T99"]
    assert properties(case)["claim_refuted"] == ["T7"]


def test_the_states_are_in_the_order_in_which_they_were_reached(runs: Runs) -> None:
    runs.write(FAILING)
    runs.run("--junitxml", "out.xml")
    (case,) = ElementTree.parse("out.xml").iter("testcase")
    server = [each for each in properties(case)["state"] if each.startswith("server ")]
    assert "server LISTEN" in server
    assert server.index("server ESTABLISHED") < server.index("server FIN_WAIT1")
    assert "report" not in properties(case)
