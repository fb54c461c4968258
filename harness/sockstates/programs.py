"""The real programs that scenarios run, and the Debian packages that bring them."""

from __future__ import annotations

import difflib
import itertools
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

PACKAGES = {
    "nc": "netcat-openbsd",
    "telnet": "telnet",
    "nginx": "nginx",
    "curl": "curl",
    "openssl": "openssl",
    "tcpdump": "tcpdump",
    "tshark": "tshark",
    "capinfos": "tshark",
    "netstat": "net-tools",
    "setpriv": "util-linux",
    "ss": "iproute2",
    "ip": "iproute2",
    "ping": "iputils-ping",
    "iptables": "iptables",
    "ip6tables": "iptables",
    "iptables-translate": "iptables",
    "nft": "nftables",
}
"""Program -> package, as Debian names it."""

FOR_TESTS = {
    "chromium": "chromium",
    "ip6tables-translate": "iptables",
    "xz": "xz-utils",
}
"""The same for what no scenario runs, only the harness's own tests."""

_ESSENTIAL = """
[ basename bash cat chgrp chmod chown cmp cp cut date dd df diff dirname du echo env expr false find
getent grep groups gzip head hostname id install kill ln ls mkdir mkfifo mknod mktemp mount mv nice
nohup nproc nsenter od paste perl printenv printf pwd readlink realpath rm rmdir sed seq setsid sh
sha256sum sleep sort split stat stdbuf stty sync tac tail tar tee test timeout touch tr true
truncate tty umount uname uniq unshare wc who whoami xargs yes
"""
EVERYWHERE = frozenset(_ESSENTIAL.split())
"""What Debian's essential packages bring, a bare container's too: it need not be declared."""

PACKAGES_BY_PROGRAM = PACKAGES | FOR_TESTS
"""Both."""
LIKENESS = 0.75
"""How much of a name must agree for it to be a misspelling: `ngnix` has 0.8 of `nginx`."""

APT_LISTS = Path("/var/lib/apt/lists")
"""Where ``apt-get update`` puts what it fetches: sources.list(5)."""
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where programs lie that an unprivileged user's PATH may not have."""

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_WORDS_OF_SHELLS = """
. : alias bg break cd command continue declare do done echo elif else esac eval exec exit export
false fg fi function getopts hash if jobs kill let local popd printf pushd pwd read readonly return
set shift source test then time times trap true type typeset ulimit umask unalias unset until wait
while [ [[ ! { }
"""
_SHELL_WORDS = frozenset(_WORDS_OF_SHELLS.split())
"""Reserved words and builtins: dash(1), bash(1)."""
_BEFORE_A_COMMAND = {
    *("!", "{", "command", "do", "elif", "else", "eval", "exec", "if", "then", "time", "until"),
    "while",
}
"""Those behind which a command stands."""
_WITH_OTHER_WORDS = frozenset({"for", "case", "select"})
"""Those whose line names no command before the next separator."""


def commands_of(words: Sequence[str]) -> list[str]:
    """The programs that a command line runs, as far as it shows: its first word, and a shell's.

    A shell's script (``sh -c``) is read for words in the place of a command, in substitutions and
    subshells too; what a variable holds is not seen, and no script's file is opened.
    """
    first = words[0]
    commands = [first]
    options = list(itertools.takewhile(lambda word: word.startswith("-"), words[1:]))
    runs_text = any(not word.startswith("--") and "c" in word for word in options)
    if os.path.basename(first) in _SHELLS and runs_text and len(words) > len(options) + 1:
        commands += _commands_of_script(words[len(options) + 1])
    return commands


def _commands_of_script(script: str) -> Iterator[str]:
    """The words of a shell's script that stand where a command does."""
    lexer = shlex.shlex(script, posix=True, punctuation_chars="();<>|&\n`")
    lexer.whitespace, lexer.whitespace_split = " \t\r", True
    expected = True  # a command comes next
    skipped = False  # the next word is a file's name
    try:
        for word in lexer:
            if word and set(word) <= set("();<>|&\n`"):
                skipped = word[-1] in "<>" or word in ("<&", ">&", "&>")
                expected = expected if skipped else True
                if word.startswith("<<"):
                    return  # a text follows that is no script
                continue
            for inner in re.findall(r"\$\(([^()]*)\)", word):
                yield from _commands_of_script(inner)
            if skipped or not expected or re.match(r"\w+=", word) or word.isdigit():
                skipped = False
            elif word in _WITH_OTHER_WORDS or not re.fullmatch(r"[\w./+\[-]+", word):
                expected = False
            elif word in _SHELL_WORDS:
                expected = word in _BEFORE_A_COMMAND
            else:
                expected = False
                yield word
    except ValueError:  # a quotation that does not end: the shell will say so
        return


def search_path(path: str | None) -> str:
    """This PATH with the system folders behind it, those that it lacks."""
    folders = (path or os.defpath).split(os.pathsep)
    return os.pathsep.join([*folders, *(each for each in SYSTEM_FOLDERS if each not in folders)])


def install_commands(packages: Iterable[str], *, root: bool | None = None) -> tuple[str, ...]:
    """The command line that installs these Debian packages; none where there is no apt, or no name.

    root: None asks who this process is. apt's lists of packages are fetched first where there are
    none, as in a container; elsewhere that would only take time.
    """
    names = " ".join(sorted(set(packages)))
    if not names or find_program("apt-get") is None:
        return ()
    update = "" if any(APT_LISTS.glob("*_Packages*")) else "apt-get update && "
    return (as_root(f"{update}apt-get install --no-install-recommends {names}", root=root),)


def as_root(command: str, *, root: bool | None = None) -> str:
    """The command line with which this user has root run a command.

    root: None asks who this process is. Where there is no sudo(8), su(1) asks for root's password.
    """
    if os.geteuid() == 0 if root is None else root:
        return command
    if find_program("sudo") is None:
        return f"su -c {shlex.quote(command)}"
    return " && ".join(f"sudo {each}" for each in command.split(" && "))


def find_program(name: str) -> str | None:
    """The program's path, or None."""
    return shutil.which(name, path=search_path(os.environ.get("PATH")))


def intended_program(name: str) -> str | None:
    """The program that somebody meant who wrote this name; None: it may be meant as it is."""
    if name in PACKAGES_BY_PROGRAM or name in EVERYWHERE or find_program(name):
        return None
    return next(iter(difflib.get_close_matches(name, PACKAGES_BY_PROGRAM, 1, LIKENESS)), None)


def missing_program(name: str) -> str | None:
    """None when the program is here; otherwise what to install."""
    return None if find_program(name) else not_installed(name, PACKAGES_BY_PROGRAM.get(name))


def not_installed(name: str, package: str | None) -> str:
    """What to install where a program, or a file of another kind, is missing."""
    if package is None:
        return f"{name} is not installed: no folder of PATH has it. Give its path, or install it"
    return f"{name} is not installed; Debian's package {package} has it"
