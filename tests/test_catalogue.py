"""The catalogue of timeouts: its page, and what can be a setting in it."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import NoReturn

import pytest

from sockstates.catalogue import SYMPTOMS
from sockstates.catalogue.duration import duration_text, seconds_text
from sockstates.catalogue.entries import Entry, Facts
from sockstates.catalogue.introduction import INTRODUCTION
from sockstates.catalogue.page import WIDTH, catalogue_page
from sockstates.catalogue.phenomena import PHENOMENA
from sockstates.catalogue.settings import short, unknown_setting
from sockstates.commands.predict import prediction_of
from sockstates.plugin.entries import problems_of_entry
from sockstates.sandbox.network.settings import PINNED
from sockstates.tcp.limits import DEFAULTS
from sockstates.tcp.prediction import Prediction
from sockstates.tcp.states import CLOSE_WAIT, CLOSED, FIN_WAIT2
from tests.module_trees import PROJECT

FACTS = Facts(
    (53,),
    "close lingers",
    client=(FIN_WAIT2, CLOSED),
    server=(CLOSE_WAIT,),
    errors=("EPIPE",),
    lasts="for ever",
    settings=("net.ipv4.tcp_fin_timeout", "TCP_LINGER2"),
)
ENTRY = Entry(FACTS, "The peer never closes.", "closing/test_it.py", "test_it")


def made(entries: Iterable[Entry]) -> str:
    return catalogue_page(entries, prediction_of)


def others(*numbers: int, **changed: object) -> Entry:
    facts = replace(FACTS, numbers=numbers, **changed)  # type: ignore[arg-type]
    return replace(ENTRY, facts=facts)


class TestPage:
    def test_an_entry_says_all_of_its_marker(self) -> None:
        page = made([ENTRY])
        assert (
            "### 53. the peer never closes\n\n**The peer never closes.**\n\n"
            "- states: client FIN_WAIT2, then CLOSED; server CLOSE_WAIT\n"
            "- the program gets: EPIPE\n"
            "- lasts: for ever\n"
            "- changed by: `tcp_fin_timeout`, `TCP_LINGER2`\n"
            "- recipe: [closing/test_it.py](closing/test_it.py), `test_it`\n"
        ) in page
        for line in ("sockets in CLOSE_WAIT", "no socket (CLOSED)", "EPIPE", "`tcp_fin_timeout`"):
            assert f"\n- {line}: [53]\n" in page
        assert "\n[53]: #53-the-peer-never-closes\n" in page

    def test_symptoms_are_in_their_order_each_with_its_sentence(self) -> None:
        page = made([others(9, symptom=symptom) for symptom in reversed(SYMPTOMS)])
        heads = [line.lower() for line in page.splitlines() if line.startswith("## ")]
        assert heads[1 : 1 + len(SYMPTOMS)] == [f"## {each}" for each in SYMPTOMS.values()]

    def test_a_number_under_two_symptoms_has_two_headings(self) -> None:
        page = made([others(8, symptom="refused"), others(8, symptom="connect hangs")])
        assert "\n### 8. a firewall rejects with ICMP\n" in page
        assert "\n### 8b. a firewall rejects with ICMP\n" in page
        assert "\n- sockets in CLOSE_WAIT: [8], [8b]\n" in page
        assert "\n- [8], [8b] a firewall rejects with ICMP\n" in page

    def test_several_scenarios_of_a_number_are_under_one_heading(self) -> None:
        page = made([ENTRY, replace(ENTRY, title="Another one.", test="test_a")])
        assert page.count("### 53") == 1
        assert page.index("Another one.") < page.index("The peer never closes.")

    def test_variants_of_a_scenario_are_told_together(self) -> None:
        variants = [
            replace(others(8, errors=errors), variant=variant)
            for variant, errors in {"one": ("EPIPE",), "two": ("EPERM",), "three": ()}.items()
        ]
        page = made(variants)
        assert page.count("**The peer never closes.**") == 1
        assert page.count("- states: client FIN_WAIT2, then CLOSED; server CLOSE_WAIT\n") == 1
        assert "- the program gets: `one` EPIPE; `three` nothing; `two` EPERM\n" in page

    def test_several_numbers_of_a_scenario_are_one_entry(self) -> None:
        page = made([others(50, 51)])
        assert (
            "\n### 50 and 51. the FIN of an orphan is lost; the FIN of shutdown() is lost" in page
        )
        anchor = "#50-and-51-the-fin-of-an-orphan-is-lost-the-fin-of-shutdown-is-lost"
        assert f"\n[50]: {anchor}\n[51]: {anchor}\n" in page

    def test_what_is_missing_is_said(self) -> None:
        missing = {1, 2, 3, 7, 9, 10}
        page = made(others(number) for number in PHENOMENA if number not in missing)
        assert "Phenomena with an entry: 74 of 80. Without one yet: 1-3, 7, 9, 10." in page
        assert "\n- 7 a firewall rejects with a reset: no entry yet\n" in page
        assert "All 80 phenomena have an entry." in made(map(others, PHENOMENA))

    def test_it_is_as_narrow_as_it_can_be(self) -> None:
        title = "A very long sentence of the scenario. " * 5
        settings = tuple(each for each in DEFAULTS)
        page = made([replace(others(1, settings=settings), title=title)])
        long = [line for line in page.splitlines() if len(line) > WIDTH + 12]
        assert not [line for line in long if not re.match(r"#|\[\d+\]: |- recipe", line)]

    def test_what_a_forge_would_read_as_markup_is_shown(self) -> None:
        page = made([replace(ENTRY, title="A <b> *c* [d] SYN_SENT.")])
        assert r"**A \<b> \*c\* \[d\] SYN_SENT.**" in page

    def test_each_link_has_its_heading(self) -> None:
        page = made(others(number) for number in PHENOMENA)
        used = set(re.findall(r"\[(\d+)\](?!:)", page))
        defined = dict(re.findall(r"^\[(\d+)\]: #(.*)$", page, re.MULTILINE))
        assert used == set(defined) == {str(number) for number in PHENOMENA}
        headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
        assert set(defined.values()) == anchors
        assert not [each for each in anchors if "--" in each]  # forges do not agree about these

    def test_the_introduction_names_what_is_there(self) -> None:
        (named,) = re.findall(r"pytest (\S+) --lab-report", INTRODUCTION)
        assert (PROJECT / named).is_file()


class TestSettings:
    @pytest.mark.parametrize("name", [*DEFAULTS, *(each for each in PINNED if "conf." not in each)])
    def test_what_the_harness_knows_is_known(self, name: str) -> None:
        if not name.startswith(("net.ipv4.ip_unpriv", "net.ipv6.icmp")):
            assert unknown_setting(name) is None
            assert unknown_setting(short(name)) is None

    @pytest.mark.parametrize(
        "name", ["SO_LINGER", "listen(backlog)", "shutdown()", "curl: --max-time, SO_RCVTIMEO"]
    )
    def test_options_calls_and_a_programs_own_are_known(self, name: str) -> None:
        assert unknown_setting(name) is None

    @pytest.mark.parametrize(
        ("name", "advice"),
        [
            ("tcp_syn_retry", "'tcp_syn_retries'"),
            ("SO_LINGR", "'SO_LINGER'"),
            ("frobnicate(2)", "A setting is"),
            ("curl", "A setting is"),
            ("curl: --max-time, SO_RCVTIME", "'SO_RCVTIMEO'"),
            ("the programs' own, net.ipv4.tcp_retry2", "'tcp_retries2'"),
            ("patience", "A setting is"),
        ],
    )
    def test_others_are_not(self, name: str, advice: str) -> None:
        assert advice in str(unknown_setting(name))


class TestDuration:
    @pytest.mark.parametrize(
        ("line", "text"),
        [
            ("syn", "131 s; 127 s before Linux 6.5"),
            ("syn --set tcp_syn_linear_timeouts=0", "127 s; from Linux 6.5 on"),
            ("syn --kernel 6.1", "127 s"),
            ("keepalive", "2 h 11 min 15 s"),
            ("data", "15 min 26 s to 15 min 35 s, by the length of the kernel's tick"),
            ("time-wait", "60 s"),
            ("fin-wait2 --owned", "for ever"),
            ("fin --option SO_LINGER=0", "at once"),
            (
                "data --set tcp_rto_max_ms=1000",
                "16 s (from 14 s on where timers are late); from Linux 6.15 on",
            ),
        ],
    )
    def test_it_is_the_predictors_answer_for_all_kernels(self, line: str, text: str) -> None:
        assert duration_text(line, prediction_of) == text

    def test_the_machine_is_not_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def asked() -> NoReturn:
            raise AssertionError("the page must be the same on every machine")

        monkeypatch.setattr("platform.release", asked)
        monkeypatch.setattr("time.clock_getres", lambda _: asked())
        monkeypatch.setattr("sockstates.commands.predict.SYSCTLS", None)
        assert duration_text("syn", prediction_of) == "131 s; 127 s before Linux 6.5"

    def test_late_timers_are_told_of(self) -> None:
        def ask(line: str) -> Prediction:
            return replace(prediction_of(line), sooner=7.0)

        assert duration_text("time-wait", ask) == "60 s (from 7 s on where timers are late)"

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0.2, "0.2 s"),
            (9.4, "9.4 s"),
            (130.6, "131 s"),
            (600, "10 min"),
            (3661, "1 h 1 min 1 s"),
        ],
    )
    def test_a_length_in_words(self, seconds: float, text: str) -> None:
        assert seconds_text(seconds) == text


class TestMarker:
    def test_a_right_one_has_no_problem(self) -> None:
        said = {"symptom": "hangs", "client": "SYN_SENT, CLOSED", "errno": "EPIPE, ECONNRESET"}
        said |= {"predict": "syn --option TCP_SYNCNT=3", "lasts": "for ever", "server": "LISTEN"}
        assert list(problems_of_entry((1, 80), said | {"settings": ("tcp_retries2",)})) == []

    @pytest.mark.parametrize(
        ("said", "problem"),
        [
            ({"symptom": "hungs"}, "symptom is one of refused, connect hangs, "),
            (
                {"settings": ("tcp_retry2",)},
                "settings: 'tcp_retry2' is not a setting; did you mean ",
            ),
            ({"settings": "tcp_retries2"}, "settings is a tuple, not 'tcp_retries2'"),
            ({"settings": ()}, "settings is a tuple, not ()"),
            ({"client": "WAITING"}, "client: WAITING is not a state as psutil spells it"),
            ({"server": "LISTEN, listen"}, "server: listen is not a state as psutil spells it"),
            ({"errno": "ESLOW"}, "errno: ESLOW is not the name of an errno"),
            ({"predict": "sin"}, "predict: 'sin' is none of syn, "),
            ({"predict": "syn --sat x"}, "predict: sockstates predict: error: unrecog"),
            ({"predict": "syn --set tcp_x=1"}, "predict: "),
            ({"how": "so"}, "there is no 'how', only symptom, "),
        ],
    )
    def test_each_problem_is_told(self, said: dict[str, object], problem: str) -> None:
        (found,) = problems_of_entry((2,), {"symptom": "hangs"} | said)
        assert found.startswith(problem)

    @pytest.mark.parametrize("numbers", [(), (0,), (81,), ("2",), (True,)])
    def test_numbers_are_those_of_the_catalogue(self, numbers: tuple[object, ...]) -> None:
        (found,) = problems_of_entry(numbers, {"symptom": "hangs"})
        assert found == "it takes numbers of the catalogue, 1 to 80"
