"""``python -m harness doctor``: what this machine can and cannot do, and how to mend it."""

from __future__ import annotations

import sys

USAGE = """\
usage: python -m harness doctor

  doctor   say what this machine can and cannot do for a lab, and how to mend it;
           exit status 0 when `pytest scenarios/` will run here, 1 when it will not

Scenarios are run with `pytest scenarios/`.
"""
WRONG_USAGE = 2


def main(arguments: list[str]) -> int:
    """Do what the command line asks; its exit status."""
    if arguments == ["doctor"]:
        return _doctor()
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if arguments:
        sys.stderr.write(f"`{' '.join(arguments)}` is not something that harness does.\n\n")
    sys.stderr.write(USAGE)
    return WRONG_USAGE


def _doctor() -> int:
    from harness.doctor.findings import examine, will_run
    from harness.doctor.page import draw
    from harness.doctor.survey import look

    found = examine(look())
    sys.stdout.write(draw(found))
    return 0 if will_run(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
