"""The doctor: what it says of given facts, and that what it says of this machine is true."""

import errno
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sockstates import Host, programs
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
from sockstates.commands.doctor.permissions import Elsewhere
from sockstates.commands.doctor.scenarios import Needs, read_needs
from sockstates.programs import PACKAGES
from sockstates.sandbox.client.sandbox import _is_refusal
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
    scenarios=None,
    trial=GOOD_TRIAL,
)
NOBODY = replace(GOOD, user=1000, capabilities=frozenset())
REFUSED = Trial(
    failure="this process is not allowed to make a lab: unshare(0x10000000): not permitted"
)
UNMAPPED = Trial(failure="this process is not allowed to make a lab: write uid_map: not permitted")
UNMOUNTED = Trial(failure="this process is not allowed to make a lab: mount /proc: not permitted")


@pytest.fixture(autouse=True)
def _sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is sudo(8), on whatever machine the tests run."""
    monkeypatch.setattr(programs, "find_program", lambda name: f"/usr/bin/{name}")


def commands(facts: Facts) -> str:
    """Everything that the doctor would have somebody type."""
    return "\n".join(command for finding in examine(facts) for command in finding.fix)


def test_where_all_is_well_nothing_is_to_be_mended() -> None:
    found = examine(GOOD)
    assert will_run(found)
    assert {finding.verdict for finding in found} == {Verdict.WELL}
    assert commands(GOOD) == ""
    assert draw(found).endswith("`pytest scenarios/` will run here.\n")


@pytest.mark.parametrize(
    ("lacking", "subject", "mend"),
    [
        (replace(GOOD, python=(3, 9, 2)), "Python", "python3 python3-venv"),
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
            "podman run --security-opt=unmask=ALL --security-opt=seccomp=unconfined\n",
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
            "--cap-add=SETGID --cap-add=SETFCAP",
        ),
        (
            replace(GOOD, capabilities=PERMITTED - {"SETFCAP"}, trial=UNMAPPED, container="docker"),
            "lab",
            "docker run --cap-add=SETFCAP --security-opt",
        ),
        (
            replace(GOOD, capabilities=frozenset(), trial=UNMOUNTED, container="kubernetes"),
            "lab",
            "In the pod's manifest: securityContext: {capabilities: {add: [SYS_ADMIN, ",
        ),
        (
            replace(NOBODY, trial=UNMOUNTED, container="kubernetes"),
            "lab",
            "hostUsers: false; securityContext: {procMount: Unmasked, ",
        ),
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
            "telnet, capinfos",
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
            "podman run --cap-add=PERFMON",
        ),
        (
            replace(GOOD, container="podman", trial=Trial(frames=3, sys_is_empty=True)),
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
    lines = page.splitlines()
    typed = [line.strip().removeprefix("$ ") for line in lines if line.strip().startswith("$ ")]
    assert max(len(line) for line in lines if "  $ " not in line) <= WIDTH
    for finding in examine(facts):
        for fix in finding.fix:
            assert (fix in typed) is not isinstance(fix, Elsewhere)
            assert "#" not in fix  # zsh(1) would take a comment for arguments
            assert "…" not in fix


CONTAINERS = {
    "podman": ("podman run ", ("docker", "securityContext")),
    "docker": ("docker run ", ("podman", "securityContext")),
    "kubernetes": ("securityContext: ", ("podman", "docker run")),
    "lxc": ("", ("podman", "docker", "securityContext")),
    "unknown kind": ("", ("podman", "docker", "securityContext")),
}


@pytest.mark.parametrize("facts", [replace(GOOD, capabilities=frozenset()), NOBODY])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_each_container_is_spoken_to_in_its_own_words(kind: str, facts: Facts) -> None:
    own, others = CONTAINERS[kind]
    trials = (UNMOUNTED, replace(GOOD_TRIAL, sys_is_empty=True, no_tracepoints="refused"))
    for trial in trials:
        judged = replace(facts, container=kind, trial=trial)
        said = commands(judged)
        assert own in said
        assert not [word for word in others if word in said], said
    (lab,) = [each for each in examine(replace(facts, container=kind, trial=UNMOUNTED))
              if each.subject == "lab"]  # fmt: skip
    assert all(isinstance(fix, Elsewhere) for fix in lab.fix)
    assert "privileged" not in lab.fix[0]  # what is least comes first


def test_who_has_no_sudo_is_told_of_su(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = replace(NOBODY, programs={**GOOD.programs, "telnet": False})
    monkeypatch.setattr(programs, "find_program", lambda name: None if name == "sudo" else name)
    monkeypatch.setattr(programs, "APT_LISTS", Path("/no/such/folder"))
    install = "apt-get update && apt-get install --no-install-recommends telnet"
    assert f"su -c '{install}'" in commands(missing)
    assert install in commands(replace(missing, user=0)).splitlines()


def test_no_line_of_apt_is_said_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find_program", lambda _: None)
    missing = replace(GOOD, programs={**GOOD.programs, "telnet": False}, python=(3, 10, 0))
    assert "telnet" in draw(examine(missing))
    assert commands(missing) == ""


SCENARIOS = (
    Needs(programs=frozenset({"telnet", "nginx"})),
    Needs(programs=frozenset({"telnet"}), kernel=frozenset({"netem"})),
    Needs(programs=frozenset({"my-server"})),
    Needs(filters=True),
)


def notes(facts: Facts) -> dict[str, str]:
    """What the doctor notes, by its subject."""
    found = examine(facts)
    return {each.subject: each.text for each in found if each.verdict is Verdict.NOTE}


def test_it_says_how_many_scenarios_hang_on_what_is_missing() -> None:
    facts = replace(
        GOOD,
        programs={**GOOD.programs, "telnet": False, "capinfos": False, "my-server": False},
        libpcap_needs=("pip install cypcap",),
        trial=replace(GOOD_TRIAL, lacks=frozenset({"netem", "nat"})),
        scenarios=SCENARIOS,
    )
    assert notes(facts) == {
        "kernel": "this kernel lacks netem. Scenarios that need it are skipped (1 of the 4 here), "
        "also with --lab-require; --lab-virtual runs them in a kernel that has it",
        "filters": "libpcap is missing, which the Python package cypcap brings. Scenarios that "
        "capture with a filter of their own fail (1 of the 4 here), and so does `show --filter`",
        "programs": "missing: my-server (1), telnet (2). Skipped without them: 3 of the 4 "
        "scenarios here; with --lab-require that is an error. "
        "Also capinfos, which no scenario here runs",
    }
    assert "telnet tshark" in commands(facts)
    assert "my-server" not in commands(facts)  # nobody knows a package that has it
    assert will_run(examine(facts))


def test_without_scenarios_nothing_is_counted() -> None:
    facts = replace(
        GOOD,
        programs={**GOOD.programs, "telnet": False},
        trial=replace(GOOD_TRIAL, lacks=frozenset({"netem", "tcp_rto_max_ms"})),
    )
    page = " ".join(draw(examine(facts)).split())
    assert "missing: telnet. Scenarios that run one of them are skipped" in page
    assert "lacks netem. Scenarios that need it are skipped, also" in page
    assert "lacks tcp_rto_max_ms. Scenarios that need it are skipped, also with --lab-require; a " \
        "newer kernel has it" in page  # fmt: skip
    assert "here)" not in page


SOURCE = """
import pytest
pytestmark = [pytest.mark.programs("nc"), pytest.mark.cause("client.connect")]

@pytest.mark.programs("ss", "ip")
@pytest.mark.kernel("netem", "nat")
def test_one(lab): ...

class TestMore:
    pytestmark = pytest.mark.kernel("netem")
    def test_two(self, sniffing): ...
    def helps(self): ...

def test_three(client):
    client.capture("udp")

def test_four(client):
    client.capture()
"""


def test_the_needs_of_scenarios_are_read_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(SOURCE)
    (tmp_path / "test_broken.py").write_text("def test_(:")
    (tmp_path / "conftest.py").write_text(
        "import pytest\nraise SystemExit('run')\n"
        "@pytest.fixture\ndef inner(client): client.capture('tcp')\n"
        "@pytest.fixture()\ndef sniffing(inner): ...\n"
    )
    assert read_needs(tmp_path / "none") is None
    assert read_needs(tmp_path) == (
        Needs(frozenset({"nc", "ss", "ip"}), frozenset({"netem", "nat"})),
        Needs(frozenset({"nc"}), frozenset({"netem"}), filters=True),
        Needs(frozenset({"nc"}), filters=True),
        Needs(frozenset({"nc"})),
    )


COLLECTING = """
import json, sys, pytest

class Collected:
    def pytest_collection_finish(self, session):
        found = {
            item.nodeid.partition("[")[0]: [
                sorted({word for mark in item.iter_markers(name) for word in mark.args})
                for name in ("programs", "kernel")
            ]
            for item in session.items
        }
        with open(sys.argv[1], "w") as file:
            json.dump(found, file)

words = ["scenarios", "--collect-only", "-qq", "-p", "no:cacheprovider"]
sys.exit(pytest.main(words, [Collected()]))
"""


def test_it_reads_of_our_scenarios_what_pytest_collects(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    subprocess.run(
        [sys.executable, "-c", COLLECTING, told], cwd=PROJECT, check=True, capture_output=True
    )
    read = read_needs(PROJECT / "scenarios")
    assert read is not None
    assert any(each.programs for each in read)
    assert any(each.kernel for each in read)
    assert sorted([sorted(each.programs), sorted(each.kernel)] for each in read) == sorted(
        json.loads(told.read_text()).values()
    )


def test_a_file_of_ours_that_cannot_be_read_is_no_matter_of_permissions_for_labs() -> None:
    closed = Trial(failure="Permission denied: /home/me/.config/scapy", refused=False)
    facts = replace(NOBODY, container="podman", system_call_filter=True, trial=closed)
    assert "run" not in commands(facts)
    assert not will_run(examine(facts))
    assert "/home/me/.config/scapy" in draw(examine(facts))


def test_the_sandbox_tells_a_refusal_from_a_closed_file() -> None:
    assert _is_refusal(PermissionError(errno.EPERM, "unshare(CLONE_NEWNET): not permitted"))
    assert _is_refusal(PermissionError(errno.EPERM, "not permitted", "/proc/self/uid_map"))
    assert _is_refusal(OSError(errno.ENOSPC, "unshare(CLONE_NEWNET): no space"))
    assert not _is_refusal(PermissionError(errno.EACCES, "denied", "/home/me/.cache/scapy"))
    assert not _is_refusal(OSError(errno.ENOSPC, "no space", "/tmp/file"))


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
    # Wrapped where it is for a container's machine.
    assert f"sysctl -w {MOST_NETWORK_NAMESPACES}=10000" in " ".join(examined.stdout.split())
    assert "will not run here. Lacking: lab." in examined.stdout


@pytest.mark.parametrize("arguments", [(), ("docter",), ("doctor", "now")])
def test_what_it_does_not_do_is_answered_with_its_usage(arguments: tuple[str, ...]) -> None:
    answered = doctor(*arguments)
    assert answered.returncode == 2
    assert "usage: sockstates doctor" in answered.stderr
    assert all(word in answered.stderr for word in arguments)
