"""The doctor: what it says of given facts, and that what it says of this machine is true."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sockstates.commands.doctor.facts import (
    MOST_NETWORK_NAMESPACES,
    MOST_USER_NAMESPACES,
    USER_NAMESPACES_ALLOWED,
    USER_NAMESPACES_RESTRICTED,
    Facts,
    Trial,
)
from sockstates.commands.doctor.findings import Verdict, examine, will_run
from sockstates.commands.doctor.page import WIDTH, draw
from sockstates.lab.host import Host
from sockstates.programs import PACKAGES
from tests.passages_shown import IS_MACHINES_ROOT

PROJECT = Path(__file__).parents[1]
PERMITTED = frozenset({"SYS_ADMIN", "NET_ADMIN", "SETUID", "SETGID", "SETFCAP"})
GOOD_TRIAL = Trial(seconds=0.5, rules={"ipv4": "", "ipv6": ""}, frames=3)
GOOD = Facts(
    python=(3, 11, 2),
    packages={"pytest": "8", "pyroute2": "0.9", "psutil": "6", "scapy": "2.6", "pytest-xdist": "3"},
    user=0,
    whole_machine=True,
    capabilities=PERMITTED,
    container="",
    system_call_filter=False,
    settings={MOST_USER_NAMESPACES: 60000, MOST_NETWORK_NAMESPACES: 60000},
    programs=dict.fromkeys(PACKAGES, True),
    libpcap_needs=(),
    trial=GOOD_TRIAL,
)
NOBODY = replace(GOOD, user=1000, capabilities=frozenset())
REFUSED = Trial(failure="this process may not make a lab: unshare(0x10000000): not permitted")
UNMAPPED = Trial(failure="this process may not make a lab: write uid_map: not permitted")
UNMOUNTED = Trial(failure="this process may not make a lab: mount /proc: not permitted")


def commands(facts: Facts) -> str:
    """Everything that the doctor would have somebody type."""
    return "\n".join(command for finding in examine(facts) for command in finding.mend)


def test_where_all_is_well_nothing_is_to_be_mended() -> None:
    found = examine(GOOD)
    assert will_run(found)
    assert {finding.verdict for finding in found} == {Verdict.WELL}
    assert commands(GOOD) == ""
    assert draw(found).endswith("`pytest scenarios/` will run here.\n")


@pytest.mark.parametrize(
    ("lacking", "subject", "mend"),
    [
        (replace(GOOD, python=(3, 9, 2)), "Python", "apt-get install python3"),
        (replace(GOOD, packages={**GOOD.packages, "scapy": None}, trial=None), "packages", "tox"),
        (
            replace(NOBODY, trial=REFUSED, settings={USER_NAMESPACES_ALLOWED: 0}),
            "lab",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            replace(NOBODY, trial=REFUSED, settings={USER_NAMESPACES_RESTRICTED: 1}),
            "lab",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            replace(NOBODY, trial=REFUSED, settings={MOST_USER_NAMESPACES: 0}),
            "lab",
            "sudo sysctl -w user.max_user_namespaces=10000",
        ),
        (
            replace(GOOD, trial=REFUSED, settings={MOST_NETWORK_NAMESPACES: 0}),
            "lab",
            "sysctl -w user.max_net_namespaces=10000",
        ),
        (replace(NOBODY, trial=REFUSED), "lab", "sudo env"),
        (replace(NOBODY, trial=UNMOUNTED, container="podman"), "lab", "unmask=ALL"),
        (replace(NOBODY, trial=UNMOUNTED, container="docker"), "lab", "systempaths=unconfined"),
        (
            replace(NOBODY, trial=REFUSED, container="podman", system_call_filter=True),
            "lab",
            "podman run --security-opt=unmask=ALL --security-opt=seccomp=unconfined",
        ),
        (
            replace(GOOD, trial=REFUSED, settings={MOST_USER_NAMESPACES: 0}),
            "lab",
            "sysctl -w user.max_user_namespaces=10000",
        ),
        (
            replace(GOOD, capabilities=frozenset(), trial=UNMOUNTED, container="podman"),
            "lab",
            "podman run --cap-add=SYS_ADMIN --cap-add=NET_ADMIN --cap-add=SETUID "
            "--cap-add=SETGID --cap-add=SETFCAP …",
        ),
        (
            replace(GOOD, capabilities=PERMITTED - {"SETFCAP"}, trial=UNMAPPED, container="docker"),
            "lab",
            "docker run --cap-add=SETFCAP --security-opt",
        ),
        (replace(GOOD, trial=UNMOUNTED, container="kubernetes"), "lab", "privileged: true"),
        (
            replace(GOOD, trial=Trial(rules={"ipv4": "", "ipv6": "no such table"}, frames=3)),
            "rules",
            "modprobe nf_tables",
        ),
        (replace(GOOD, trial=Trial(rules={"ipv4": "", "ipv6": ""})), "capture", "Linux kernel"),
    ],
)
def test_each_lack_is_named_with_what_mends_it(lacking: Facts, subject: str, mend: str) -> None:
    found = examine(lacking)
    assert not will_run(found)
    assert [each.subject for each in found if each.verdict is Verdict.LACKING] == [subject]
    assert mend in commands(lacking)
    assert f"Lacking: {subject}." in draw(found)


@pytest.mark.parametrize(
    ("facts", "text", "mend"),
    [
        (
            replace(GOOD, programs={**GOOD.programs, "telnet": False, "capinfos": False}),
            "telnet capinfos",
            "apt-get install --no-install-recommends telnet tshark",
        ),
        (replace(GOOD, packages={**GOOD.packages, "pytest-xdist": None}), "one after", "pip"),
        (
            replace(GOOD, libpcap_needs=("pip install cypcap",)),
            "libpcap is missing",
            "pip install cypcap",
        ),
        (
            replace(NOBODY, trial=replace(GOOD_TRIAL, no_tracepoints="fsopen(tracefs) is refused")),
            "fsopen(tracefs) is refused",
            "sudo env",
        ),
        (
            replace(
                GOOD,
                container="podman",
                trial=replace(GOOD_TRIAL, no_tracepoints="perf_event_open is refused"),
            ),
            "not proved",
            "podman run --cap-add=PERFMON …",
        ),
        (
            replace(GOOD, trial=Trial(frames=3, sys_is_empty=True)),
            "/sys/class/net",
            "unmask=ALL",
        ),
    ],
)
def test_what_is_only_smaller_than_it_could_be_is_a_note(
    facts: Facts, text: str, mend: str
) -> None:
    found = examine(facts)
    assert will_run(found)
    notes = [finding for finding in found if finding.verdict is Verdict.NOTE]
    assert len(notes) == 1
    assert text in notes[0].text
    assert mend in commands(facts)


def test_root_may_make_user_namespaces_where_others_may_not() -> None:
    settings = {USER_NAMESPACES_ALLOWED: 0, USER_NAMESPACES_RESTRICTED: 1}
    assert "sysctl" not in commands(replace(GOOD, trial=REFUSED, settings=settings))


@pytest.mark.parametrize(
    "facts",
    [
        GOOD,
        replace(
            NOBODY, trial=UNMOUNTED, container="docker", programs=dict.fromkeys(PACKAGES, False)
        ),
        replace(GOOD, packages=dict.fromkeys(GOOD.packages), python=(3, 10, 0), trial=None),
    ],
)
def test_the_page_fits_into_80_columns_and_its_commands_can_be_copied(facts: Facts) -> None:
    page = draw(examine(facts))
    assert max(map(len, page.splitlines())) <= WIDTH
    typed = " ".join(page.replace("\\\n", " ").split())
    for command in commands(facts).splitlines():
        assert " ".join(command.split()) in typed


def doctor(*arguments: str, before: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*before, sys.executable, "-m", "sockstates", *arguments],
        cwd=PROJECT,
        text=True,
        capture_output=True,
        check=False,
        timeout=240,  # then it hangs: on a busy machine a trial takes long
    )


@pytest.mark.families("ipv4")
def test_it_says_that_scenarios_run_where_they_do(client: Host) -> None:
    assert client.pid  # a lab can be made here, or this test does not run
    examined = doctor("doctor")
    assert examined.stderr == ""
    assert examined.returncode == 0, examined.stdout
    assert "ok    lab" in examined.stdout
    assert "ok    rules" in examined.stdout
    assert "ok    capture" in examined.stdout
    assert ("ok    tracing" if IS_MACHINES_ROOT else "CAP_PERFMON") in examined.stdout


@pytest.mark.families("ipv4")
def test_it_says_what_forbids_network_namespaces(client: Host) -> None:
    """In a user namespace of its own, whose limits bind nobody else."""
    assert client.pid
    limited = ("unshare", "--user", "--map-root-user", "--fork", "sh", "-c")
    setting = f"echo 0 >/proc/sys/{MOST_NETWORK_NAMESPACES.replace('.', '/')}"
    examined = doctor("doctor", before=(*limited, f'{setting} && exec "$0" "$@"'))
    assert examined.returncode == 1, examined.stdout + examined.stderr
    assert f"sysctl -w {MOST_NETWORK_NAMESPACES}=10000" in examined.stdout
    assert "will not run here. Lacking: lab." in examined.stdout


@pytest.mark.parametrize("arguments", [(), ("docter",), ("doctor", "now")])
def test_what_it_does_not_do_is_answered_with_its_usage(arguments: tuple[str, ...]) -> None:
    answered = doctor(*arguments)
    assert answered.returncode == 2
    assert "usage: sockstates doctor" in answered.stderr
    assert all(word in answered.stderr for word in arguments)
