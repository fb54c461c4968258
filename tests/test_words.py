"""docs/words.md has every word that a scenario can say: held against the classes themselves."""

import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import sockstates as words
from sockstates import Call, FilteredCapture
from sockstates.lab.deadlines import Deadlines

PAGE = (Path(__file__).parents[1] / "docs/words.md").read_text()
SAID = " ".join(re.findall(r"`[^`]+`", PAGE.replace("```", "`")))
"""What stands in code on that page."""
HANDLED = {
    words.Lab: """addresses count_rules doubt fileno finish line next_call pump_until settle
        take_in wait_until""",
    words.Host: """agent line program_of record_rule sample settle sockets source_towards target_at
        users_of""",
    words.Endpoint: "connecting go_on_from key stages wait_for_connect",
    words.Listener: "accept_from connecting go_on_from key stages wait_for_connect",
    words.Connection: "",
    words.Program: "has_process",
    words.Rule: "record_counter",
    words.Wire: "address address_of addresses agent line notices pid sample settle",
    words.Fault: "record",
    words.Link: "",
    words.CraftedPeer: "has_peer remote",
    words.KernelCounter: "",
    FilteredCapture: "take_in",
    Call: "unjudged_failure was_judged_a_failure",
    Deadlines: "call next_segment pending state_change",
}
"""What a scenario handles, and which of its public names are for the harness alone."""


def public(kind: type) -> dict[str, object]:
    return {name: each for name, each in inspect.getmembers(kind) if not name.startswith("_")}


def missing(kind: type, inner: set[str], said: str) -> list[str]:
    found = []
    for name, each in public(kind).items():
        if name in inner:
            continue
        if not re.search(rf"\b{name}\b", said):
            found.append(name)
        elif inspect.isfunction(each):
            named = inspect.signature(each).parameters.values()
            found += [
                f"{name}({one.name}=)"
                for one in named
                if one.kind is one.KEYWORD_ONLY and not re.search(rf"\b{one.name}=", said)
            ]
    return found


@pytest.mark.parametrize("kind", HANDLED, ids=lambda kind: kind.__name__)
def test_the_page_has_every_word(kind: type) -> None:
    inner = set(HANDLED[kind].split())
    assert not inner - public(kind).keys(), "names that are gone"
    assert not missing(kind, inner, SAID)


def test_a_word_that_the_page_lacks_is_found() -> None:
    said = SAID.replace("runs_timer", "").replace("receive_queue=", "")
    inner = set(HANDLED[words.Endpoint].split())
    lacking = ["reaches(receive_queue=)", "runs_timer", "stays(receive_queue=)"]
    assert missing(words.Endpoint, inner, said) == lacking


def test_the_page_has_every_fixture_and_marker(pytestconfig: pytest.Config) -> None:
    manager = pytestconfig.pluginmanager
    sources = [
        *(
            inspect.getsource(each)
            for _, each in manager.list_name_plugin()
            if isinstance(each, ModuleType) and each.__name__.startswith("sockstates.plugin")
        ),
        (Path(__file__).parents[1] / "scenarios/conftest.py").read_text(),
    ]
    fixtures = [
        name
        for source in sources
        for name in re.findall(r"@pytest\.fixture(?:\(.*\))?\ndef (\w+)", source)
        if not name.startswith("_")
    ]
    assert {"lab", "client", "nginx", "nc"} <= set(fixtures)
    assert not [name for name in fixtures if not re.search(rf"`{name}`", PAGE)]
    markers = [line.partition("(")[0] for line in pytestconfig.getini("markers")]
    ours = [name for name in markers if f"mark.{name}(" in PAGE]
    own = {"claims", "cause", "families", "programs", "kernel", "shortened", "phenomenon"}
    assert own | {"topology"} <= set(ours)


def test_the_page_says_how_to_read_on() -> None:
    (told,) = re.findall(r'`python -c "([^"]+)"`', PAGE)
    assert told == "import sockstates; help(sockstates.Endpoint)"
    assert "setsockopt(2)" in inspect.getdoc(words.Endpoint.set_option)  # type: ignore[operator]
