"""What can go wrong with virtual kernels: each error is one message that names the way out."""

from __future__ import annotations


class VirtualError(Exception):
    """Something about a virtual kernel does not work; its text says what, and what to type next."""


class KernelMissing(VirtualError):
    """No such kernel has been built here."""


class KernelUnusable(VirtualError):
    """A kernel was built, but it does not boot, or has no time travel."""


class BuildImpossible(VirtualError):
    """A kernel cannot be built here and now: a program, a source or disk space is missing."""


class BuildFailed(VirtualError):
    """Building a kernel was begun and did not succeed."""


class SourceMissing(BuildImpossible):
    """No source of that kernel is to be had."""


class GuestFailed(VirtualError):
    """A virtual kernel was started and did not do what it was to do."""
