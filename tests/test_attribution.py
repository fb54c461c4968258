"""Whose a sighting of the kernel is, on sightings made up: on good grounds, or nobody's."""

import pytest

from sockstates.record.events import Event
from sockstates.record.kernel_events import PacketDropped, RecordsLost, ResetPassed, StateChanged
from sockstates.sandbox.client.attribution import Attribution, Place
from sockstates.sandbox.witnesses.perf_records import Lost, TaskPlaced
from sockstates.sandbox.witnesses.tracepoints import Sighting, What
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

CLIENT, SERVER = Address("10.0.7.1", 4000), Address("10.0.7.2", 80)
LOOPBACK, OTHER_END = Address("127.0.0.1", 80), Address("127.0.0.1", 4001)
ANYWHERE = Address("0.0.0.0", 0)
ON_CLIENT, ON_SERVER, ELSEWHERE = 11, 22, 99
"""Tasks; one that no sandbox of ours can see has the number 0."""


class World:
    """One lab, and what it was told."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.attribution = Attribution()
        self.place = Place(
            {"10.0.7.1": "client", "10.0.7.2": "server"},
            {501: "client", 502: "server"},
            self.told.append,
        )
        self.attribution.join(self.place)
        for task, namespace in ((ON_CLIENT, 501), (ON_SERVER, 502), (ELSEWHERE, 777)):
            self.attribution.take_placed(TaskPlaced(0, task, namespace))
        self._time = 0

    def change(
        self,
        socket: int,
        change: str,
        ends: tuple[Address, Address],
        task: int = 0,
        in_task: bool = False,
    ) -> None:
        self._time += 1
        before, _, after = change.partition(" ")
        sighting = Sighting(self._time, What.STATE, task, 0, in_task, socket)
        self.attribution.take(
            sighting._replace(
                local=ends[0],
                remote=ends[1],
                before=State.of(before),
                after=State.of(after),
            )
        )

    def passages(self) -> list[tuple[str, Address, Address | None, str]]:
        return [
            (each.host, each.local, each.remote, str(each.after))
            for each in self.told
            if isinstance(each, StateChanged)
        ]

    def losses(self) -> list[str]:
        return [each.host for each in self.told if isinstance(each, RecordsLost)]


@pytest.fixture
def world() -> World:
    return World()


def test_what_had_no_port_yet_is_told_under_the_port_it_got(world: World) -> None:
    world.change(1, "CLOSE SYN_SENT", (CLIENT._replace(port=0), SERVER), ON_CLIENT, True)
    assert world.passages() == []
    world.change(1, "SYN_SENT ESTABLISHED", (CLIENT, SERVER))
    assert world.passages() == [
        ("client", CLIENT, SERVER, "SYN_SENT"),
        ("client", CLIENT, SERVER, "ESTABLISHED"),
    ]


def test_who_listens_everywhere_is_known_by_its_task(world: World) -> None:
    everywhere = ANYWHERE._replace(port=80)
    world.change(1, "CLOSE LISTEN", (everywhere, ANYWHERE), ON_SERVER, True)
    world.change(1, "LISTEN CLOSE", (everywhere, ANYWHERE), 0, True)
    assert world.passages() == [
        ("server", everywhere, None, "LISTEN"),
        ("server", everywhere, None, "CLOSED"),
    ]


@pytest.mark.parametrize("task", [0, ELSEWHERE])
def test_what_a_task_elsewhere_made_is_not_ours_whatever_its_address(
    world: World, task: int
) -> None:
    world.change(1, "CLOSE SYN_SENT", (CLIENT, SERVER), task, True)
    world.change(1, "SYN_SENT ESTABLISHED", (CLIENT, SERVER))
    assert world.told == []


def test_an_interrupted_task_says_nothing(world: World) -> None:
    world.change(1, "LISTEN SYN_RECV", (LOOPBACK, OTHER_END), ON_CLIENT)
    world.change(1, "SYN_RECV ESTABLISHED", (LOOPBACK, OTHER_END), ON_CLIENT)
    assert world.told == []


def test_a_child_on_loopback_is_told_whole_once_its_owner_acts(world: World) -> None:
    world.change(1, "LISTEN SYN_RECV", (LOOPBACK, OTHER_END))
    world.change(1, "SYN_RECV ESTABLISHED", (LOOPBACK, OTHER_END))
    world.change(1, "ESTABLISHED FIN_WAIT1", (LOOPBACK, OTHER_END), ON_SERVER, True)
    assert [each[0::3] for each in world.passages()] == [
        ("server", "SYN_RECV"),
        ("server", "ESTABLISHED"),
        ("server", "FIN_WAIT1"),
    ]


def test_a_socket_s_place_in_memory_is_nobody_s_after_its_end(world: World) -> None:
    world.change(1, "CLOSE SYN_SENT", (OTHER_END, LOOPBACK), ON_CLIENT, True)
    world.change(1, "SYN_SENT CLOSE", (OTHER_END, LOOPBACK))
    known = len(world.told)
    world.change(1, "CLOSE SYN_SENT", (OTHER_END, LOOPBACK), 0, True)
    world.change(1, "SYN_SENT CLOSE", (OTHER_END, LOOPBACK))
    assert len(world.told) == known == 2


def test_a_lab_that_has_left_is_told_nothing(world: World) -> None:
    world.change(1, "CLOSE SYN_SENT", (CLIENT, SERVER), ON_CLIENT, True)
    known = len(world.told)
    world.attribution.leave(world.place)
    world.change(1, "SYN_SENT ESTABLISHED", (CLIENT, SERVER))
    assert len(world.told) == known == 1


def test_a_close_that_changes_nothing_is_no_change(world: World) -> None:
    world.change(1, "CLOSE SYN_SENT", (CLIENT, SERVER), ON_CLIENT, True)
    world.change(1, "SYN_SENT SYN_SENT", (CLIENT, SERVER), ON_CLIENT, True)
    assert len(world.told) == 1


def test_a_missing_link_of_a_chain_is_a_loss(world: World) -> None:
    world.change(1, "CLOSE SYN_SENT", (CLIENT, SERVER), ON_CLIENT, True)
    assert world.losses() == []
    world.change(1, "ESTABLISHED FIN_WAIT1", (CLIENT, SERVER))
    assert world.losses() == ["client"]


def test_a_missing_beginning_is_a_loss(world: World) -> None:
    world.change(1, "ESTABLISHED CLOSE_WAIT", (SERVER, CLIENT))
    assert world.losses() == ["server"]


def test_a_missing_end_is_a_loss_when_another_socket_lies_there_or_another_witness_knows(
    world: World,
) -> None:
    world.change(1, "CLOSE SYN_SENT", (CLIENT, SERVER), ON_CLIENT, True)
    world.change(1, "CLOSE SYN_SENT", (CLIENT, SERVER), ON_CLIENT, True)
    assert world.losses() == ["client"]
    world.attribution.compare(world.place, lambda _: 0)
    assert world.losses() == ["client"]
    world.attribution.compare(world.place, lambda key: 1000 if key[1] == CLIENT else 0)
    assert world.losses() == ["client", "client"]


def test_after_a_loss_no_history_is_relied_on(world: World) -> None:
    world.change(1, "CLOSE SYN_SENT", (OTHER_END, LOOPBACK), ON_CLIENT, True)
    world.attribution.take_lost(Lost(5, 12))
    world.change(1, "SYN_SENT ESTABLISHED", (OTHER_END, LOOPBACK))
    world.change(2, "ESTABLISHED CLOSE_WAIT", (SERVER, CLIENT))
    assert world.losses() == [""]
    assert world.passages()[1:] == [("server", SERVER, CLIENT, "CLOSE_WAIT")]


def test_a_drop_is_told_where_a_reset_answers_it_or_its_socket_is_known(world: World) -> None:
    reset = Sighting(5, What.RESET_SENT, 0, 1, False, 0, 77, SERVER, CLIENT, reason="NO_SOCKET")
    drop = Sighting(6, What.DROP, 0, 1, False, 0, 77, reason="NO_SOCKET")
    world.attribution.take(drop._replace(packet=76))
    world.attribution.take(reset._replace(packet=75))
    world.attribution.take(drop)
    world.attribution.take(drop._replace(processor=0))
    world.attribution.take(reset)
    world.attribution.take(drop)
    world.attribution.take(drop)
    assert world.told == [
        ResetPassed(5, "server", SERVER, CLIENT, True, "NO_SOCKET"),
        ResetPassed(5, "server", SERVER, CLIENT, True, "NO_SOCKET"),
        PacketDropped(6, "server", "NO_SOCKET", SERVER, CLIENT),
    ]
