"""``--lab-report``: the pages and the index that runs of pytest leave behind."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.scenario_runs import CONNECTED, FAILING, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]

MANY = f"""
{CONNECTED}
{FAILING}

def test_skipped(lab):
    pytest.skip("not today")

def test_broken(lab, no_such_fixture):
    pass

def test_undecided(lab, client, server):
    from sockstates.record.events import FramesLost
    connection = client.connect(server.listen(port=80))
    lab.timeline.add(FramesLost(lab.now(), "client", 3))
    connection.client.reaches(CLOSING, seconds=0.1)

def test_without_a_lab():
    pass
"""
VERDICTS = {
    "test_established": "passed",
    "test_never_closing": "failed",
    "test_skipped": "skipped",
    "test_broken": "error",
    "test_undecided": "inconclusive",
}


def rows(report: Path) -> dict[str, str]:
    """Name of each scenario in the index -> its verdict; of this run, not of earlier ones."""
    text = (report / "index.html").read_text().partition("From earlier runs")[0]
    found = re.findall(r'<tr data-verdict="(\w+)".*?::(\w+)\[ipv4\]', text, re.DOTALL)
    return {name: verdict for verdict, name in found}


def page(report: Path, name: str) -> Path:
    return report / f"test_it-{name}-ipv4" / "page.html"


def result(report: Path, name: str) -> dict[str, object]:
    text = page(report, name).with_name("result.json").read_text()
    read: dict[str, object] = json.loads(text)
    return read


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "workers"])
def test_every_scenario_is_in_the_index_with_its_verdict(
    runs: Runs, workers: tuple[str, ...]
) -> None:
    runs.write(MANY)
    done = runs.run("--lab-report", "out", "--junitxml", "junit.xml", *workers)
    report = runs.folder / "out"
    assert rows(report) == VERDICTS
    done.stdout.fnmatch_lines([f"lab report: {report}/index.html"])
    failed = page(report, "test_never_closing").read_text()
    assert "did not reach CLOSING" in failed
    assert 'class="step"' in failed
    assert "FIN_WAIT1" in failed
    assert result(report, "test_never_closing")["claims"] == ["T27", "T99"]
    assert "server FIN_WAIT1" in str(result(report, "test_never_closing")["states"])
    assert result(report, "test_skipped")["message"] == "not today"
    assert "no_such_fixture" in str(result(report, "test_broken")["message"])
    links = re.findall(r'href="([^"]+/page.html)"', (report / "index.html").read_text())
    assert len(links) >= 3
    assert all((report / link).is_file() for link in links)


def test_the_pages_path_is_a_property_in_junit_files(runs: Runs) -> None:
    runs.write(CONNECTED)
    runs.run("--lab-report", "out", "--junitxml", "junit.xml")
    case = ElementTree.parse(runs.folder / "junit.xml").find(".//testcase")
    assert case is not None
    properties = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert properties["report"] == str(page(runs.folder / "out", "test_established"))


def test_without_the_option_there_is_no_report(runs: Runs) -> None:
    runs.write(CONNECTED)
    done = runs.run("--junitxml", "junit.xml")
    done.stdout.no_fnmatch_line("lab report:*")
    assert 'name="report"' not in (runs.folder / "junit.xml").read_text()
    assert not list(runs.folder.glob("**/page.html"))


def test_what_a_later_run_does_not_run_is_said_to_be_old(runs: Runs) -> None:
    runs.write(CONNECTED + CONNECTED.replace("test_established", "test_other"))
    report = runs.folder / "out"
    runs.run("--lab-report", "out")
    assert rows(report) == {"test_established": "passed", "test_other": "passed"}
    runs.run("--lab-report", "out", "-k", "test_other")
    assert rows(report) == {"test_other": "passed"}
    text = (report / "index.html").read_text()
    assert "::test_established[ipv4]" in text.partition("From earlier runs")[2]
    assert '<body class="stale">' in page(report, "test_established").read_text()
    assert '<body class="current">' in page(report, "test_other").read_text()


def test_a_worker_that_dies_leaves_an_error_and_no_current_page(runs: Runs) -> None:
    dying = CONNECTED.replace("test_established", "test_dying")
    runs.write(CONNECTED + dying)
    report = runs.folder / "out"
    runs.run("--lab-report", "out")
    assert rows(report)["test_dying"] == "passed"
    runs.write(CONNECTED + dying + "    import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n")
    runs.run("--lab-report", "out", "-n", "1")
    assert rows(report) == {"test_established": "passed", "test_dying": "error"}
    assert not page(report, "test_dying").exists()
    assert "crashed" in str(result(report, "test_dying")["message"])


def test_a_skipped_scenario_takes_its_old_page_away(runs: Runs) -> None:
    report = runs.folder / "out"
    runs.write(CONNECTED)
    runs.run("--lab-report", "out")
    assert page(report, "test_established").exists()
    runs.write(CONNECTED.replace("(lab,", "(no_such_fixture, lab,"))
    runs.run("--lab-report", "out")
    assert rows(report) == {"test_established": "error"}
    assert not page(report, "test_established").exists()
