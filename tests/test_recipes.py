"""The recipes for pipelines: steps that exist, limits that are long enough, pins that are whole."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sockstates.commands.doctor.permissions import NEEDED

PROJECT = Path(__file__).parents[1]
GITHUB = PROJECT / ".github/workflows/scenarios.yml"
GITLAB = PROJECT / "docs/ci/gitlab-ci.yml"
KUBERNETES = PROJECT / "docs/ci/kubernetes-job.yaml"
PAGE = (PROJECT / "docs/ci/README.md").read_text()
DEFINED = re.findall(
    r'^define (\S+) (\d+) "([^"]*)"', (PROJECT / ".ci/run").read_text(), re.MULTILINE
)
LIMITS = {name: int(seconds) for name, seconds, _ in DEFINED}
NEEDS = {name: needs.split() for name, _, needs in DEFINED}
SPARE = 15
"""Minutes in which a job begins and ends: its container, caches, reports."""
OTHERWISE = {"packages", "tox", "kernel", "pythons"}
"""Steps that others need, and the one in whose place a recipe runs every Python."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def github_jobs() -> dict[str, Any]:
    jobs = read(GITHUB)["jobs"]
    assert isinstance(jobs, dict)
    return jobs


def steps_of_github() -> dict[str, int]:
    """What each job gives to .ci/run, and its limit in minutes."""
    return {
        each["steps"]: each["minutes"]
        for job in github_jobs().values()
        for each in job["strategy"]["matrix"].get("include", ())
        if "steps" in each
    }


def steps_of_gitlab() -> dict[str, int]:
    jobs = {name: job for name, job in read(GITLAB).items() if "extends" in job and name[0] != "."}
    return {
        job["variables"]["STEPS"]: int(job["timeout"].removesuffix(" minutes"))
        for job in jobs.values()
        if "STEPS" in job["variables"]
    }


def with_needs(steps: str) -> set[str]:
    found: set[str] = set()
    wanted = steps.split()
    while wanted:
        step = wanted.pop()
        found.add(step)
        wanted += NEEDS[step]
    return found


def test_both_services_run_every_step_with_the_same_limits() -> None:
    assert steps_of_github() == steps_of_gitlab()
    named = {step for steps in steps_of_github() for step in steps.split()}
    assert named == LIMITS.keys() - OTHERWISE


@pytest.mark.parametrize("steps", steps_of_github())
def test_a_job_lasts_as_long_as_its_steps_may(steps: str) -> None:
    minutes = sum(LIMITS[step] for step in with_needs(steps)) / 60
    assert minutes < steps_of_github()[steps] <= minutes + SPARE


def test_actions_are_pinned_by_hash_each_to_one_version() -> None:
    uses = re.findall(r"uses: *(.*)", GITHUB.read_text())
    pins = [
        re.fullmatch(r"([\w-]+/[\w-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", each) for each in uses
    ]
    assert uses
    assert all(pins)
    assert len({pin.groups() for pin in pins if pin}) == len({pin[1] for pin in pins if pin})


@pytest.mark.parametrize("job", github_jobs())
def test_each_job_keeps_its_reports_also_when_it_is_red(job: str) -> None:
    *_, last = github_jobs()[job]["steps"]
    assert last["uses"].startswith("actions/upload-artifact@")
    assert last["if"] == "always()"
    assert last["with"]["path"] == "reports"
    assert any("reports" in step.get("run", "") for step in github_jobs()[job]["steps"])


def test_gitlab_keeps_them_too() -> None:
    kept = read(GITLAB)[".plain"]["artifacts"]
    assert kept["when"] == "always"
    assert kept["paths"] == ["reports"]
    assert kept["reports"] == {"junit": "reports/*.xml"}


def test_every_python_that_tox_knows_is_tried() -> None:
    known = re.search(r"\[testenv:\{(.*?),\}scenarios\]", (PROJECT / "tox.ini").read_text())
    assert known is not None
    versions = [f"{each[2]}.{each[3:].rstrip('-')}" for each in known[1].split(",")]
    assert github_jobs()["pythons"]["strategy"]["matrix"]["python"] == versions
    assert read(GITLAB)["pythons"]["parallel"]["matrix"] == [{"PYTHON": versions}]


def test_nothing_that_needs_no_privilege_is_given_one() -> None:
    """And user namespaces are allowed to those that make some as an unprivileged user."""
    jobs = github_jobs()
    assert jobs["without-privileges"]["container"] == {"image": "debian:bookworm"}
    for name, job in jobs.items():
        text = str(job["steps"])
        assert ("apparmor_restrict_unprivileged_userns" in text) is (name != "without-privileges")
    assert read(GITHUB)["permissions"] == {"contents": "read"}


def test_the_job_has_no_capability_and_the_page_names_the_ways_in_order() -> None:
    pod = read(KUBERNETES)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    least = container["securityContext"]
    assert pod["hostUsers"] is False
    assert least["capabilities"] == {"drop": ["ALL"]}
    assert least["runAsNonRoot"]
    assert f"--uid {least['runAsUser']} person" in (PROJECT / "Dockerfile").read_text()
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    assert {"/tmp", container["args"][container["args"].index("--lab-report") + 1]} == mounted
    more, most = (
        yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    )
    assert tuple(more["securityContext"]["capabilities"]["add"]) == NEEDED
    assert "privileged" not in more["securityContext"]
    assert most["securityContext"] == {"runAsUser": 0, "privileged": True}
