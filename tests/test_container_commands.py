"""The container command lines of the pages: all of them are run by `.ci/containers`."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from sockstates.commands.doctor.permissions import NEEDED

PROJECT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(PROJECT / ".ci/container_commands"))
PROFILES = {
    "default": r"--network none sockstates$",
    "least": r"--cap-drop ALL",
    "unprivileged": r"--user person --security-opt",
    "unknown user": r"--user \d+ ",
    "read-only": r"--read-only ",
    "user namespace": r"--uidmap ",
    "Docker": r"^docker run",
}


def commands(text: str) -> list[tuple[str, str]]:
    """What the script finds in a page: what is expected of a line, and the line."""
    found: Any = SCRIPT["commands"](text)
    return [tuple(each) for each in found]


def of_all_pages() -> list[tuple[str, str]]:
    return [each for page in SCRIPT["pages"]() for each in commands(page.read_text())]


def test_every_line_of_a_block_that_names_a_container_program_is_among_them() -> None:
    for page in SCRIPT["pages"]():
        text = page.read_text()
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = [line for block in blocks for line in block.splitlines()]
        naming = [
            line
            for line in lines
            if re.search(r"\b(podman|docker) ", line)
            and not line.startswith("# ")
            and "…" not in line
            and not re.search(r"Start the container with: |\(podman\)", line)  # the doctor's words
        ]
        assert len(naming) == len(commands(text)), page


@pytest.mark.parametrize("profile", PROFILES)
def test_there_is_a_line_for_each_set_of_permissions(profile: str) -> None:
    assert any(re.search(PROFILES[profile], line) for _, line in of_all_pages())


def test_only_what_has_no_permission_is_to_be_refused() -> None:
    for expected, line in of_all_pages():
        granting = re.search(r"--cap-add|--security-opt|--privileged|--uidmap| build ", line)
        assert expected == ("green" if granting else "refused"), line


def test_the_least_capabilities_are_those_that_the_doctor_knows() -> None:
    for _, line in of_all_pages():
        if "--cap-drop ALL" in line:
            assert tuple(re.findall(r"--cap-add (\w+)", line)) == NEEDED


def test_continued_lines_are_one_and_comments_say_what_is_expected() -> None:
    page = (
        "```sh\n# refused: by default\npodman run a\n\n# allowed\npodman run \\\n    b\n```\n"
        "```\nsample of output: $ podman run …\n```\n"
    )
    assert commands(page) == [("refused", "podman run a"), ("green", "podman run b")]


@pytest.mark.parametrize(
    "page",
    ["```\npodman run a\n```\n", "```sh\n$ podman run a\n```\n", "```sh\n  docker run a\n```\n"],
)
def test_a_line_that_would_not_be_run_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="no block of sh"):
        commands(page)
