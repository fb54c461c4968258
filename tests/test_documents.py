"""What README.md and docs/ have people copy works: taken from the pages, it is run as it stands.

Scenarios run with naps (tests/naps.py), many times over: an example that is right only where the
machine is fast fails here.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import pytest

from sockstates.__main__ import main
from sockstates.programs import missing_program
from tests.naps import SEED
from tests.scenario_runs import PROJECT, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md")))
LINKED = (*PAGES, PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md")
OFTEN = 5
"""How many times each runs over each family: with naps, a scenario that depends on who is faster
fails every third or fourth time."""
REPEATED = f"""
import pytest

@pytest.fixture(params=range({OFTEN}), autouse=True)
def again(request):
    pass
"""


@dataclass(frozen=True)
class Block:
    """A piece of Python in a page."""

    page: Path
    line: int
    section: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def is_whole(self) -> bool:
        """Whether it is a file of scenarios; otherwise a piece of one."""
        return "def test_" in self.text

    @property
    def path(self) -> str:
        """Where the page says that it goes: in its first line, where that is a comment."""
        first = self.text.partition("\n")[0]
        return first[2:] if first.startswith("# ") else "test_copied.py"


def blocks(language: str) -> Iterator[Block]:
    """All blocks of a language, in all pages."""
    for page in PAGES:
        text = page.read_text()
        for found in re.finditer(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            before = text[: found.start()]
            section = before[before.rfind("\n## ") + 4 :].partition("\n")[0]
            yield Block(page, before.count("\n") + 2, section, found[1])


CONNECTED = """
connection = client.connect(server.listen(port=16868))
connection.server.reaches(ESTABLISHED)
lab.sees_only('''
    client > server: Flags [S], seq J
    server > client: Flags [S.], seq K, ack J+1
    client > server: Flags [.], ack K+1
''')
"""
CONNECTED_WITH_TLS = """
environment = without_extended_master_secret
listener = programs.serve(server, "openssl", identity, environment=environment).listens(4433)
connection = programs.connect(client, "openssl").connects(listener)
"""
STANDS_ON = {
    "Write your first scenario": CONNECTED,
    "Crafted segments": "",
    "TLS": CONNECTED_WITH_TLS,
}
"""Section -> what comes before the piece of a scenario that it has."""
FIXTURES_OF_TLS = "programs, identity, without_extended_master_secret"
HEAD = """
import pytest
from sockstates import *
"""


def scenario(piece: Block) -> str:
    """A whole scenario made of a piece of one."""
    fixtures, head = "lab, client, server", HEAD
    if piece.section == "TLS":
        fixtures += f", {FIXTURES_OF_TLS}"
        head += f"from scenarios.https.conftest import authority, {FIXTURES_OF_TLS}\n"
        head += "from sockstates.tls.decryption import decrypt\n"
        head += 'pytestmark = pytest.mark.programs("openssl")\n'
    body = STANDS_ON[piece.section] + re.sub(r"^    ", "", piece.text, flags=re.MULTILINE)
    return f"{head}\n\ndef test_piece({fixtures}):\n{indent(body, '    ')}"


MARKER = 'pytestmark = pytest.mark.cause("client.iptables")\n'
"""The piece that is no part of a scenario, but stands above one."""
MARKERS = re.compile(r"(pytest\.mark\.\w+\(.*\)  # .*\n)+")
"""Forms of one, one below the other."""
PYTHON = [
    block
    for block in blocks("python")
    if block.text != MARKER and not MARKERS.fullmatch(block.text)
]


def programs_of(text: str) -> list[str]:
    marks = re.findall(r"mark\.programs\((.*)\)", text)
    return [name for line in marks for name in re.findall(r'"(.*?)"', line)]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_what_people_copy_works_on_a_machine_of_any_speed(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, block: Block
) -> None:
    text = block.text if block.is_whole else scenario(block)
    programs = programs_of(text)
    for advice in filter(None, map(missing_program, programs)):
        pytest.skip(advice)
    path = runs.folder / block.path
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    if not programs:  # they take seconds
        (runs.folder / "conftest.py").write_text(REPEATED)
    monkeypatch.setenv(SEED, "1")
    result = runs.run("-p", "tests.naps", "--lab-require", str(path))
    result.assert_outcomes(passed=2 if programs else 2 * OFTEN)


def first_scenario() -> Block:
    return next(block for block in PYTHON if block.section == "Write your first scenario")


def test_the_marker_stands_above_a_scenario_that_can_fail(runs: Runs) -> None:
    assert MARKER in [block.text for block in blocks("python")]
    piece = next(b for b in PYTHON if b.section == "Write your first scenario" and not b.is_whole)
    text = scenario(piece).replace("def test_piece", f"{MARKER}\n\ndef test_piece")
    (runs.folder / "test_it.py").write_text(text)
    runs.run("--lab-without-cause", "--lab-require").assert_outcomes(passed=2)


def test_claims_of_another_article_are_checked_as_the_page_says(runs: Runs) -> None:
    page = PROJECT / "docs/claims.md"
    said = page.read_text().partition("$ pytest my_article --lab-claims\n")[2]
    for block in (*blocks("toml"), *blocks("python")):
        if block.page == page:
            path = runs.folder / block.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
    result = runs.run("my_article", "--lab-claims", "--lab-require")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"{line}*" for line in said.partition("```")[0].splitlines()])


SAYS_WRONG = "the client has closed first:\n\n```\n"
WRONG = re.compile(r"connection\.server\.reaches\(CLOSED\)")
NUMBER = re.compile(r"\d+(\.\d+)?")


def without_numbers(text: str) -> list[str]:
    return [NUMBER.sub("0", line).rstrip() for line in text.splitlines() if line.startswith("E ")]


@pytest.fixture
def report(runs: Runs) -> Path:
    """The report of the first scenario as the page makes it wrong, and what the terminal said."""
    wrong, count = WRONG.subn("connection.server.reaches(TIME_WAIT)", first_scenario().text)
    assert count == 1
    (runs.folder / "test_my_first.py").write_text(wrong)
    folder = runs.folder / "lab-report"
    result = runs.run("-k", "ipv4", "--lab-require", "--lab-report", str(folder))
    result.assert_outcomes(failed=1, deselected=1)
    (folder / "said").write_text(result.stdout.str())
    return folder


COMMAND = re.compile(r"sockstates ((?:show|explain|predict|netstat|compare) [^`\n]*)")
PLACES = {"FILE": "server.pcapng", "DIR/…/timeline.jsonl": "timeline.jsonl"}


def commands() -> Iterator[list[str]]:
    """The command lines of all pages that need no lab; what explains them follows two spaces."""
    for page in PAGES:
        for found in COMMAND.finditer(page.read_text()):
            yield shlex.split(found[1].partition("  ")[0])


def test_the_failure_is_the_picture_in_the_page_and_every_command_reads_its_report(
    report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = PROJECT / "docs/first-scenario.md"
    picture = page.read_text().partition(SAYS_WRONG)[2].partition("```")[0]
    assert without_numbers(picture)
    # "before", what else it was seen in, stands below where a sample fell between two segments.
    assert set(without_numbers(picture)) <= set(without_numbers((report / "said").read_text()))
    (evidence,) = report.glob("*/timeline.jsonl")
    places = {page: str(evidence.parent / file) for page, file in PLACES.items()}
    places["DIR"] = str(report)
    ran = set()
    for words in commands():
        assert main([places.get(word, word) for word in words]) == 0, words
        said = capsys.readouterr()
        assert said.out, words
        assert not said.err, words
        ran.add(words[0])
    assert ran == {"show", "explain", "predict", "netstat", "compare"}


LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """What a link to a heading of this page may say, as GitHub makes it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def broken(page: Path) -> list[str]:
    """The links of a page to a file or a heading that is not there."""
    found = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", page.read_text())):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if re.match(r"https?:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    assert not broken(page)


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title\n[a](#a-title) [b](#b) [c](gone.md) [d](page.md#c)\n")
    assert broken(page) == ["#b", "gone.md", "page.md#c"]


def test_both_indexes_have_every_page() -> None:
    for index in (PROJECT / "README.md", PROJECT / "docs/README.md"):
        linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}
        assert not set(PAGES) - {PROJECT / "docs/README.md"} - linked - {index}, index


@pytest.fixture
def short_folder() -> Iterator[str]:
    """For the browser's sockets, whose paths must not be long."""
    with tempfile.TemporaryDirectory() as folder:
        yield folder


@pytest.mark.programs("chromium")
def test_the_picture_is_made_as_the_page_says(tmp_path: Path, short_folder: str) -> None:
    (tmp_path / "docs").mkdir()
    shutil.copytree(PROJECT / "scenarios", tmp_path / "scenarios")
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    (block,) = (each for each in blocks("sh") if "--screenshot" in each.text)
    paths = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-euc", block.text],
        cwd=tmp_path,
        env=os.environ | {"PATH": paths, "TMPDIR": short_folder},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "docs/report.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_is_small_enough_to_load_with_the_page() -> None:
    picture = PROJECT / "docs/report.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 200_000
