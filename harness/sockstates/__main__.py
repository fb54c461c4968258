"""``sockstates``: what a machine can do, what recordings show, kernels to run in."""

from __future__ import annotations

import sys
from importlib import import_module

from sockstates.terminal import OutputLost, checked_output, harmless_streams, output_lost

USAGE = """\
usage: sockstates doctor
       sockstates show FILE
       sockstates netstat TIMELINE.jsonl --host HOST [--at SECONDS]
       sockstates compare REPORT REPORT [-v]
       sockstates predict KIND [--set SETTING=VALUE] [--option OPTION=VALUE]
       sockstates explain DURATION [--errno E] [--state S] [--retransmits N]
       sockstates kernel build|list|remove
       sockstates virtual [options] -- COMMAND

  doctor   say what this machine can and cannot do for a lab, and how to fix it;
           exit status 0 when `pytest scenarios/` will run here, 1 when it will not
  show     draw a pcap or pcapng file, or a saved timeline.jsonl, as a ladder with the
           states of both ends; `--filter EXPRESSION` filters it as tcpdump would, and
           `sockstates show --help` lists its other options
  netstat  print the sockets that a host of a saved timeline had at a moment, as
           `netstat -antp` would have
  compare  say whether two runs agree, of each scenario that both reports have: states,
           what was sent again and when, how calls ended; exit status 1 when they do not
  predict  say what this kernel, or another, does when the peer is silent: what it resends and when,
           when it gives up, with which errno; `sockstates predict --help`
  explain  the other way round: which causes fit a duration (131s), an errno, a state or a
           number of repetitions, with the scenario that shows each
  kernel   build, list and remove virtual kernels, whose clocks are their own: hours of
           waiting take seconds; see `sockstates kernel --help`
  virtual  run any command in one of them, on this machine's files;
           `sockstates virtual --help` says which of its files are kept

Scenarios are run with `pytest scenarios/`.
"""
WRONG_USAGE = 2
MODULES = {
    "show": "sockstates.commands.show",
    "netstat": "sockstates.commands.netstat",
    "compare": "sockstates.commands.compare",
    "predict": "sockstates.commands.predict",
    "explain": "sockstates.commands.explain",
    "kernel": "sockstates.commands.kernel",
    "virtual": "sockstates.commands.virtual",
}
"""Word -> the module whose `main` takes what follows; only that one is loaded."""


DRAWS_ITSELF = ("kernel", "virtual")
"""Rewrites its own lines, or hands a program's output through as it is."""


def main(arguments: list[str]) -> int:
    """Do what the command line asks; its exit status.

    1 when its output cannot be written; 0 when its reader has seen enough, as `head` has.
    """
    try:
        with checked_output():
            if arguments[:1] and arguments[0] in DRAWS_ITSELF:
                return _main(arguments)
            with harmless_streams():
                return _main(arguments)
    except OutputLost as lost:
        return output_lost(lost)


def _main(arguments: list[str]) -> int:
    if arguments == ["doctor"]:
        return _doctor()
    if arguments[:1] and arguments[0] in MODULES:
        module = import_module(MODULES[arguments[0]])
        status: int = module.main(arguments[1:])
        return status
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if arguments:
        sys.stderr.write(f"`{' '.join(arguments)}` is not a sockstates command.\n\n")
    sys.stderr.write(USAGE)
    return WRONG_USAGE


def _doctor() -> int:
    from sockstates.commands.doctor.findings import examine, will_run
    from sockstates.commands.doctor.page import draw
    from sockstates.commands.doctor.survey import look

    found = examine(look())
    sys.stdout.write(draw(found))
    return 0 if will_run(found) else 1


def command() -> int:
    """What the console script ``sockstates`` runs; the exit status."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(command())
