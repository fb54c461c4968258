"""`.ci/run`'s own machinery: steps, what they leave, and how a run ends when it is told to."""

import configparser
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sockstates.plugin.fixtures import MOST_WORKERS
from sockstates.programs import not_installed
from sockstates.virtual.requirements import STATIC_LIBRARY

PROJECT = Path(__file__).parents[1]
PIPELINE = PROJECT / ".ci"
LONGEST = 120
"""Seconds after which a run hangs: it only bounds what fails."""
STEPS = f"""
. {PIPELINE}/steps
reports=$1 measured=$1/measured
shift
define good 60 "" "says a word"
good() {{ echo a word; }}
define bad 60 "" "fails"
bad() {{ echo its reason; return 3; }}
define needy 60 "good bad" "is not begun"
needy() {{ echo never; }}
define slow 1 "" "exceeds its limit"
slow() {{ sleep 1000; }}
define careless 60 "" "leaves a process with a session of its own"
careless() {{ setsid sleep 1001 & }}
define stubborn 60 "good" "ignores SIGTERM, and so does what it has started"
stubborn() {{
    trap '' TERM
    setsid bash -c 'trap "" TERM; sleep 1002' &
    echo begun
    sleep 1003
    sleep 1004
}}
define last 60 "" "is not begun when an earlier step is ended"
last() {{ echo never; }}
LINGER=0
select_steps "$@"
list_steps
run_steps
"""


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What the environment of every process of the run has; none is left after the test."""
    value = f"test-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("SOCKSTATES_RUN", value)
    yield value
    for process in marked(value):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def marked(value: str) -> list[int]:
    """The processes with this mark in the environment that they were started with."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"SOCKSTATES_RUN={value}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return [each for each in found if each != os.getpid()]


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    return folder


def start(reports: Path, *names: str, out: int = subprocess.PIPE) -> subprocess.Popen[str]:
    script = reports.parent / "run"
    script.write_text(STEPS)
    return subprocess.Popen(
        ["bash", str(script), str(reports), *names],
        stdout=out,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(reports: Path, *names: str) -> tuple[int, str]:
    process = start(reports, *names)
    text, _ = process.communicate(timeout=LONGEST)
    return process.returncode, text


def test_each_step_is_said_and_kept(reports: Path, mark: str) -> None:
    status, text = run(reports, "good")
    assert status == 0
    assert (reports / "good.log").read_text() == "a word\n"
    assert re.search(r"=== good: says a word .*\na word\n", text)
    assert re.search(r"^good +passed +\d+ s$", text, re.MULTILINE)
    assert re.fullmatch(r"good\t\d+\tpassed\n", (reports / "steps.tsv").read_text())
    assert marked(mark) == []


def test_a_failed_step_is_said_and_what_needs_it_is_not_begun(reports: Path, mark: str) -> None:
    status, text = run(reports, "needy")
    assert status == 1
    assert re.search(r"^good +passed", text, re.MULTILINE)
    assert re.search(r"^bad +FAILED, exit status 3", text, re.MULTILINE)
    assert re.search(r"^needy +FAILED: needs bad, which did not pass", text, re.MULTILINE)
    assert "never" not in text
    assert "2 steps failed" in text
    assert marked(mark) == []


def test_a_step_beyond_its_limit_is_ended(reports: Path, mark: str) -> None:
    status, text = run(reports, "slow")
    assert status == 1
    assert re.search(r"^slow +FAILED: not done after 1 s", text, re.MULTILINE)
    assert marked(mark) == []


def test_a_step_that_leaves_a_process_fails_and_the_process_ends(reports: Path, mark: str) -> None:
    status, text = run(reports, "careless")
    assert status == 1
    assert re.search(r"left behind: \d+ ", text)
    assert re.search(r"^careless +FAILED: left 1 processes behind", text, re.MULTILINE)
    assert marked(mark) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_run_and_all_that_it_started(
    number: signal.Signals, reports: Path, mark: str
) -> None:
    process = start(reports, "stubborn", "last")
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line == "begun\n":
            break
    else:
        pytest.fail("the step did not begin:\n" + "".join(seen))
    assert len(marked(mark)) >= 4  # the run, the step, the limit, and what has left the group
    process.send_signal(number)
    text, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 128 + number
    assert re.search(r"^good +passed", text, re.MULTILINE)
    assert re.search(rf"^stubborn +ended by {number.name} +\d+ s$", text, re.MULTILINE)
    assert re.search(r"^last +not begun$", text, re.MULTILINE)
    assert marked(mark) == []


def test_a_run_says_first_how_long_its_steps_took(reports: Path, mark: str) -> None:
    (reports / "measured").write_text("good 7\nbad 11\n")
    _, text = run(reports, "good", "bad")
    before, *_ = text.partition("===")
    assert re.search(r"^good +7 s  says a word$", before, re.MULTILINE)
    assert re.search(r"^in all +18 s", before, re.MULTILINE)
    assert marked(mark) == []


def test_an_unknown_step_is_refused_with_the_names(reports: Path, mark: str) -> None:
    status, text = run(reports, "nosuch")
    assert status == 2
    assert "There is no step nosuch. The steps: good bad needy" in text
    assert marked(mark) == []


def test_every_step_of_the_pipeline_has_a_place_for_its_measurement() -> None:
    command = ["bash", str(PIPELINE / "run"), "--list"]
    listed = [
        subprocess.run([*command, *names], capture_output=True, text=True, check=True).stdout
        for names in ((), ("bare-tests", "containers"))
    ]
    rows = [line.split() for each in listed for line in each.splitlines()[:-1]]
    assert len(rows) > 10
    assert [row for row in rows if not re.fullmatch(r"\d+|-", row[1])] == []
    measured = {line.split()[0] for line in (PIPELINE / "measured").read_text().splitlines()}
    assert measured == {row[0] for row in rows}


def program(name: str) -> dict[str, Any]:
    """What a Python program of the pipeline defines."""
    return runpy.run_path(str(PIPELINE / name))


JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="passed"/>
<testcase classname="a" name="without"><skipped message="{message}"/></testcase>
{more}</testsuite></testsuites>"""
PACKAGE = "nc is not installed; Debian's package netcat-openbsd has it"


@pytest.mark.parametrize(
    ("message", "more", "said"),
    [
        (PACKAGE, "", "1 for netcat-openbsd"),
        ("no kernel is built. " + not_installed(*STATIC_LIBRARY), "", "1 for libc6-dev"),
        ("it was built without CONFIG_NET_SCH_NETEM", "", "1 for CONFIG_NET_SCH_NETEM"),
        ("it was built with CONFIG_NET_SCH_NETEM", "", "1 for CONFIG_NET_SCH_NETEM"),
        ("that is told by Linux 6.14 and later", "", "1 for Linux 6.14"),
        ("not today", "", "skipped, and no package named: a::without: not today"),
        ("Debian's package nonesuch has it", "", "skipped, and no package named"),
        (PACKAGE, '<testcase classname="a" name="f"><failure/></testcase>', "failed: a::f"),
        (PACKAGE, '<testcase classname="a" name="e"><error/></testcase>', "failed: a::e"),
    ],
)
def test_a_bare_machine_skips_for_packages_and_the_kernel_only(
    message: str, more: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "junit.xml"
    file.write_text(JUNIT.format(message=message, more=more))
    good = program("judge_junit")["judge"](file)
    assert said in capsys.readouterr().out
    assert good == (said.startswith("1 for"))


def test_a_bare_machine_on_which_no_test_ran_is_red(tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    file.write_text(
        JUNIT.format(message=PACKAGE, more="").replace(
            'name="passed"/>', f'name="s"><skipped message="{PACKAGE}"/></testcase>'
        )
    )
    assert not program("judge_junit")["judge"](file)


@pytest.mark.parametrize("form", ["pip", "venv"])
@pytest.mark.parametrize("environment", ["scenarios", "tests"])
def test_the_readme_has_one_command_line_of_each_kind(form: str, environment: str) -> None:
    line = subprocess.run(
        [sys.executable, str(PIPELINE / "readme_commands"), form, environment],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert line.endswith(f"tox -e {environment}\n")
    assert line.count("\n") == 1


def test_a_readme_without_such_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one line 'python3 -m pip … -e tests'"):
        program("readme_commands")["command_line"](
            "## Run it\n```sh\ntox\n```\n## Next", "pip", "tests"
        )


def pytest_of_tox(settings: str = "pyproject.toml") -> list[str]:
    """The command with which tox runs scenarios, with these settings of pytest's."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(PROJECT / "tox.ini")
    return tox["scenarios"]["pytest"].replace("pyproject.toml", settings).split()


def test_a_report_may_go_to_a_folder_that_is_there(tmp_path: Path) -> None:
    """What README's `tox -e scenarios -- --lab-report DIR` comes to, the second time."""
    command = pytest_of_tox()
    assert (PROJECT / "tox.ini").read_text().count("= {[scenarios]pytest} -n auto") == 2
    done = subprocess.run(
        [sys.executable, "-m", *command, "--collect-only", "-q", "--lab-report", tmp_path],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "scenarios/opening" in done.stdout


@pytest.mark.parametrize(("option", "workers"), [(None, 2), ("--lab-without-cause", 4)])
def test_as_many_scenarios_at_a_time_as_readme_says(
    tmp_path: Path, option: str | None, workers: int
) -> None:
    """The plugin's answer comes before xdist's, although tox loads it first."""
    command = pytest_of_tox(settings=os.devnull)
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    done = subprocess.run(
        [sys.executable, "-m", *command, "-n", "auto", *([option] if option else [])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    expected = min(workers * len(os.sched_getaffinity(0)), MOST_WORKERS)
    assert f"created: {expected}/{expected} workers" in done.stdout, done.stdout + done.stderr


def test_a_step_handles_interrupts_although_the_shell_ignores_them(
    reports: Path, mark: str
) -> None:
    script = f"""
        . {PIPELINE}/steps
        reports={reports} measured=/dev/null
        define one 60 "" "shows what is ignored"
        one() {{ sh -c "grep SigIgn /proc/self/status"; }}
        select_steps
        run_steps
    """
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT QUIT; exec bash -c "$1"', "sh", script],
        capture_output=True,
        text=True,
        check=True,
    )
    ignored = re.search(r"^SigIgn:\t(\w+)$", done.stdout, re.MULTILINE)
    assert ignored is not None, done.stdout
    assert int(ignored[1], 16) & 0b110 == 0  # bit 1 is SIGINT, bit 2 SIGQUIT
    assert marked(mark) == []


def test_what_runs_by_name_only_is_left_out_without_names() -> None:
    script = f"""
        . {PIPELINE}/steps
        define often 60 "" "" && define rare 60 "often" "" && by_name_only rare
        select_steps && echo "${{selected[*]}}" && select_steps rare && echo "${{selected[*]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["often", "often rare"]
