"""The container's image has every real program that scenarios run, and little else."""

import re
from pathlib import Path

import pytest

from sockstates.commands.doctor.permissions import NEEDED
from sockstates.programs import PACKAGES

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "Dockerfile").read_text()
REMARKS = [line for line in TEXT.splitlines() if line.startswith("#")]
STAGES = [
    re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", stage))
    for stage in re.split(r"(?m)^(?=FROM )", TEXT)[1:]
]
FINAL = STAGES[-1]


def installed(stage: str) -> set[str]:
    """The Debian packages of a stage, with what its arguments are by default."""
    defaults = dict(re.findall(r"^ARG (\w+)=(\S*)$", stage, re.MULTILINE))
    command = re.search(r"apt-get install ([^&]*)", stage)
    assert command is not None
    return {
        re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], word)
        for word in command[1].split()
        if not word.startswith("-")
    }


def test_the_image_installs_the_package_of_every_program() -> None:
    assert installed(FINAL) == {"python3", *PACKAGES.values()}


def test_what_installs_stays_in_the_first_stage() -> None:
    assert len(STAGES) == 2
    assert "pip" not in FINAL.replace("/opt/python", "")
    assert "COPY --from=packages /opt/python /opt/python" in FINAL
    assert "pip wheel" in STAGES[0]


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_that_apt_fetched_stays_in_a_layer(stage: str) -> None:
    for line in stage.splitlines():
        if "apt-get" in line:
            assert line.endswith("&& apt-get clean && rm -rf /var/lib/apt/lists/*")
            assert "--no-install-recommends" in line


def test_both_stages_have_the_one_base_which_a_digest_can_pin() -> None:
    (base,) = re.findall(r"^ARG BASE=(\S+)$", TEXT, re.MULTILINE)
    assert re.fullmatch(r"debian:[a-z]+-slim", base)
    assert [stage.splitlines()[0] for stage in STAGES] == [
        "FROM ${BASE} AS packages",
        "FROM ${BASE}",
    ]
    assert f"--build-arg BASE={base}@sha256:" in TEXT


def test_the_scenarios_are_the_only_part_of_the_project_that_is_copied_in() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", FINAL, re.MULTILINE)
    assert {name for names in copied for name in names.split()} == {
        *("pyproject.toml", "conftest.py", "scenarios")
    }


def test_each_permission_has_a_remark() -> None:

    remarks = "\n".join(REMARKS)
    for name in (*(f"CAP_{each}" for each in NEEDED), "CAP_PERFMON"):
        assert re.search(rf"\b{name}\b", remarks), name
    for option in re.findall(r"--security-opt (\S+)", remarks):
        assert re.search(rf"^#     {option} +\w", remarks, re.MULTILINE), option
    assert "-v " in remarks
    assert "STOPSIGNAL SIGTERM" in FINAL
    assert "useradd --create-home --uid 1000 person" in FINAL
