"""What can go wrong with a lab itself, as opposed to what it shows."""

from __future__ import annotations


class LabError(RuntimeError):
    """A lab could not be made, or could not do what it was asked."""


class SandboxUnavailable(LabError):
    """This machine does not let us make namespaces; the message says what to change."""


class KernelLacks(LabError):
    """The kernel lacks what was asked for, and no package brings it; the message says the ways."""


class NotDeclared(LabError):
    """A scenario starts a program that its markers do not name; the message has the marker."""


class HostGone(LabError):
    """A host's agent has ended: nothing on that host can be asked or done any more."""


class CallFailed(LabError):
    """A socket call failed, and the scenario did not say that it would."""
