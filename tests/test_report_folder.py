"""Where a report's files go: nowhere else, whoever owns the folder; and what is said if they don't.

Links are planted as somebody else would who may write in the folder.
"""

import os
from pathlib import Path

import pytest

from sockstates.report.folder import Folder, write_folder
from sockstates.report.html.results import PAGE_FILE, RESULT_FILE, Result, mark_stale, write_result
from tests.recorded import empty_timeline
from tests.scenario_runs import CONNECTED, FAILING, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
SOMEBODY_ELSE = 65534
needs_root = pytest.mark.only_where(os.getuid() == 0, reason="only root can make others' links")
RESULT = Result("run", "name", "title", "scenario", "passed")


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """What must stay as it is."""
    made = tmp_path / "precious"
    made.mkdir()
    (made / "file").write_text("as it was")
    return made


def untouched(precious: Path) -> bool:
    return [each.name for each in precious.iterdir()] == ["file"] and (
        precious / "file"
    ).read_text() == "as it was"


def test_a_planted_link_to_a_file_is_replaced(tmp_path: Path, precious: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    for name in ("timeline.txt", "timeline.jsonl", "ladder.txt", "client.pcapng"):
        (report / name).symlink_to(precious / "file")
    (report / "server.pcapng").hardlink_to(precious / "file")
    os.mkfifo(report / "all_hosts.pcapng")  # opening it would wait for ever
    write_folder(empty_timeline(), report)
    assert untouched(precious)
    assert all(path.is_file() and not path.is_symlink() for path in report.iterdir())


def test_a_planted_link_to_a_folder_is_refused(tmp_path: Path, precious: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    (report / "scenario").symlink_to(precious)
    with pytest.raises(OSError, match="scenario"):
        write_result(RESULT, report)
    assert untouched(precious)


def test_a_page_is_not_marked_through_a_link(tmp_path: Path, precious: Path) -> None:
    (precious / "file").write_text('<body class="current">')
    write_result(RESULT, tmp_path)
    (tmp_path / "scenario" / PAGE_FILE).symlink_to(precious / "file")
    with pytest.raises(OSError, match=PAGE_FILE):
        mark_stale(tmp_path, [RESULT])
    assert (precious / "file").read_text() == '<body class="current">'


@needs_root
def test_another_users_link_on_the_way_is_refused(tmp_path: Path, precious: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(precious)
    with Folder(link / "below") as folder:  # our own
        folder.write_text("mine", "text")
    assert (precious / "below" / "mine").read_text() == "text"
    os.lchown(link, SOMEBODY_ELSE, SOMEBODY_ELSE)
    with pytest.raises(OSError, match="symbolic link of another user"):
        Folder(link / "below")


def test_a_folder_that_was_opened_is_not_looked_up_again(tmp_path: Path, precious: Path) -> None:
    """The race: somebody puts a link in its place after it was checked."""
    with Folder(tmp_path / "report") as folder:
        (tmp_path / "report").rename(tmp_path / "moved")
        (tmp_path / "report").symlink_to(precious)
        folder.write_text("page.html", "page")
        with folder.below("scenario") as below:
            below.write_text(RESULT_FILE, "{}")
    assert untouched(precious)
    assert (tmp_path / "moved" / "scenario" / RESULT_FILE).read_text() == "{}"


def test_links_of_our_own_are_followed_as_everywhere(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "relative").symlink_to("real")
    (tmp_path / "absolute").symlink_to(tmp_path / "relative/inner/../inner")
    (tmp_path / "loop").symlink_to("loop")
    with Folder(tmp_path / "absolute") as folder:
        folder.write_text("file", "text")
    assert (tmp_path / "real/inner/file").read_text() == "text"
    with pytest.raises(OSError, match="Too many levels"):
        Folder(tmp_path / "loop")


def test_nothing_leaves_descriptors_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    before = os.listdir("/proc/self/fd")
    write_folder(empty_timeline(), tmp_path / "report")
    for wrong in ("file", "file/below", "loop"):
        with pytest.raises(OSError, match=wrong):
            Folder(tmp_path / wrong)
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_an_unwritable_report_is_told_before_the_first_scenario(
    runs: Runs, workers: tuple[str, ...]
) -> None:
    runs.write(CONNECTED)
    (runs.folder / "file").write_text("")
    result = runs.run("--lab-report", "file/report", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --lab-report file/report: nothing can be written there: Not a directory: *"]
    )
    assert "passed" not in result.stdout.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def on_a_small_disk(runs: Runs, mount: str, *arguments: str) -> pytest.RunResult:
    """Run pytest with a file system of its own at the folder `small`."""
    (runs.folder / "small").mkdir()
    script = f'mount -t tmpfs -o {mount} none small && exec "$@"'
    own = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh")
    return runs.run_command(*own, *runs.command("--lab-report", "small/report", *arguments))


def test_a_read_only_disk_is_told_before_the_first_scenario(runs: Runs) -> None:
    runs.write(CONNECTED)
    result = on_a_small_disk(runs, "ro")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --lab-report *: Read-only file system: *"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_verdicts_come_when_the_disk_is_full_in_the_middle(
    runs: Runs, workers: tuple[str, ...]
) -> None:
    runs.write(CONNECTED + FAILING)
    result = on_a_small_disk(runs, "size=16k", *workers)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["evidence  not written: No space left on device: *"])
    told = [line for line in result.outlines if line.startswith("lab report: not whole, ")]
    assert len(told) == 1
    assert "No space left on device: " in told[0]
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_a_report_that_is_not_whole_makes_a_run_red(runs: Runs) -> None:
    runs.write(CONNECTED)
    result = on_a_small_disk(runs, "size=16k")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
