"""iptables' own syntax, read into data: ``parse("-A INPUT -s server -j DROP")``.

Pure. Nothing is ignored: what is not supported, or what iptables itself would refuse, is refused
by name with the word pointed at and what to type instead. The meaning of every option is that of
iptables(8) and iptables-extensions(8), version 1.8. Stricter than iptables in a few places where
it accepts what can only be a slip: ``--length 5:3``, ``--limit-burst 0``, ``SYN, ACK``, octal.
Wider in one: ``--mode nth`` may leave out ``--packet``, as the manual page says.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sockstates.sandbox.rules import values
from sockstates.sandbox.rules.constraints import check
from sockstates.sandbox.rules.errors import RuleSyntaxError
from sockstates.sandbox.rules.match_options import (
    IMPLIED_MODULES,
    MATCH_OPTIONS,
    Given,
    IncompleteMatchError,
    MatchDraft,
    Option,
    Reader,
    finish,
)
from sockstates.sandbox.rules.options import (
    CHAIN,
    COMMANDS,
    MATCH,
    OWNERS,
    POLICY,
    RULE_OPTIONS,
    in_words,
    supported,
)
from sockstates.sandbox.rules.rule import (
    CHAINS,
    FAMILIES,
    AnyCommand,
    Append,
    DeleteNumber,
    DeleteRule,
    Family,
    Flush,
    Insert,
    Interface,
    Match,
    Peer,
    Protocol,
    Rule,
    SetPolicy,
    TableName,
)
from sockstates.sandbox.rules.words import Word, split_words


def parse(line: str) -> AnyCommand:
    """Read one line. RuleSyntaxError, and nothing else, for whatever is not a supported line.

    A leading ``iptables`` or ``ip6tables`` (also with ``sudo``) restricts the line to that
    program's family; without it the line holds for both.
    """
    return _Line(line).read()


@dataclass
class _Line:
    """A line half read: what has been understood so far, and the place of the next word."""

    line: str
    words: list[Word] = field(default_factory=list)
    place: int = 0
    families: tuple[Family, ...] = FAMILIES
    command: Word | None = None
    chain_word: Word | None = None
    arguments: tuple[Any, ...] = ()
    given: dict[str, Given] = field(default_factory=dict)
    drafts: list[MatchDraft] = field(default_factory=list)

    def read(self) -> AnyCommand:
        self.words = split_words(self.line)
        self._program()
        while self.place < len(self.words):
            self._argument()
        if self.command is None:
            raise self.refusal(
                None, "no command", "Begin with -A, -I, -D, -F or -P: -A INPUT -j DROP."
            )
        return self._command_made(COMMANDS[self.command.text])

    def refusal(self, word: Word | None, problem: str, instead: str) -> RuleSyntaxError:
        start, end = (word.start, word.end) if word else (len(self.line), len(self.line) + 1)
        return RuleSyntaxError(self.line, start, end, problem, instead)

    def _program(self) -> None:
        if self.words and self.words[0].text == "sudo":
            self.place = 1
        if self.place < len(self.words):
            program = self.words[self.place].text.rpartition("/")[2]
            if program in ("iptables", "ip6tables"):
                self.families = (4,) if program == "iptables" else (6,)
                self.place += 1

    def _argument(self) -> None:
        word = self.next_word(None, "a word")
        negated = word.text == "!"
        if negated:
            word = self.next_word(word, "an option")
        name = self._name(word)
        if name in COMMANDS:
            if negated:
                raise self.refusal(word, f"`!` cannot come before {name}", "Remove the `!`.")
            self._command(Word(name, word.start, word.end))
            return
        option, held = self._option(word, name)
        if negated and not option.invertible:
            raise self.refusal(word, f"`!` cannot come before {name}", "Remove the `!`.")
        self._store(Word(name, word.start, word.end), option, held, negated)

    def next_word(self, after: Word | None, what: str) -> Word:
        if self.place >= len(self.words):
            text = after.text if after else "the line"
            raise self.refusal(after, f"{text} lacks {what}", f"Type {what} after {text}.")
        self.place += 1
        return self.words[self.place - 1]

    def _name(self, word: Word) -> str:
        """Give an option's name; the value in ``--option=value`` becomes the next word."""
        name, equals, value = word.text.partition("=")
        if not (word.text.startswith("--") and equals):
            return word.text
        self.words.insert(
            self.place, Word(value, min(word.start + len(name) + 1, word.end), word.end)
        )
        return name

    def _option(self, word: Word, name: str) -> tuple[Option, dict[str, Given]]:
        """Find the option a word names, and where its values go."""
        if name in RULE_OPTIONS:
            target = self.given.get("target")
            owner = OWNERS.get(name)
            if owner is not None and (target is None or target.values[0] != owner):
                raise self.refusal(
                    word, f"{name} belongs to {owner}", f"Put `-j {owner}` before it."
                )
            return RULE_OPTIONS[name], self.given
        for draft in reversed(self.drafts):
            if name in MATCH_OPTIONS[draft.module]:
                return MATCH_OPTIONS[draft.module][name], draft.given
        protocol = self.given.get("protocol")
        if protocol is not None and not protocol.negated:
            module = IMPLIED_MODULES.get(protocol.values[0], "")
            if name in MATCH_OPTIONS.get(module, {}):
                self.drafts.append(MatchDraft(module, word))
                return MATCH_OPTIONS[module][name], self.drafts[-1].given
        raise self._unknown(word, name)

    def _unknown(self, word: Word, name: str) -> RuleSyntaxError:
        owners = [module for module, options in MATCH_OPTIONS.items() if name in options]
        if owners:
            ways = {"tcp": "-p tcp", "udp": "-p udp"}
            how = " or ".join(f"`{ways.get(owner, f'-m {owner}')}`" for owner in owners)
            return self.refusal(word, f"{name} is not known yet", f"Put {how} before it.")
        if not name.startswith("-"):
            if self.command is None and self.words[0] is word:
                return self.refusal(
                    word,
                    f"{name!r} is no command",
                    "Begin with -A, -I, -D, -F or -P: -A INPUT -j DROP.",
                )
            return self.refusal(word, f"{name!r} is where an option should be", supported(name))
        return self.refusal(word, f"{name} is not supported", supported(name))

    def _store(self, word: Word, option: Option, held: dict[str, Given], negated: bool) -> None:
        read = tuple(self._value(word, reader, "a value") for reader in option.readers)
        if option is MATCH:
            self.drafts.append(MatchDraft(read[0], word))
            return
        if option.key in held:
            raise self.refusal(word, f"{word.text} is given twice", "Keep one of them.")
        held[option.key] = Given(read, negated, word)

    def _value(self, option: Word, reader: Reader, what: str) -> Any:
        word = self.next_word(option, what)
        if word.text == "!":
            raise self.refusal(word, "`!` comes after its option", f"Write `! {option.text}`.")
        return self._read(word, reader)

    def _read(self, word: Word, reader: Reader) -> Any:
        try:
            return reader(word.text)
        except values.BadValueError as bad:
            raise self.refusal(word, bad.problem, bad.instead) from None

    def _command(self, word: Word) -> None:
        if self.command is not None:
            raise self.refusal(
                word, f"{word.text} after {self.command.text}", "Type one command per line."
            )
        self.command = word
        self.arguments = tuple(_COMMAND_ARGUMENTS[COMMANDS[word.text]](self, word))

    def chain(self, command: Word) -> Any:
        name = self._value(command, CHAIN, "a chain")
        self.chain_word = self.words[self.place - 1]
        return name

    def policy(self, command: Word) -> Any:
        return self._value(command, POLICY, "a policy, ACCEPT or DROP")

    def chain_if_any(self, command: Word) -> Any:
        if self.place < len(self.words) and not self.words[self.place].text.startswith("-"):
            return self.chain(command)
        return None

    def number_if_any(self) -> Any:
        if self.place >= len(self.words) or not self.words[self.place].text[:1].isdigit():
            return None
        word = self.next_word(None, "a number")
        return self._read(word, lambda text: values.number(text, 1, 2**31 - 1, "a rule's number"))

    def _command_made(self, command: str) -> AnyCommand:
        made: Callable[..., AnyCommand]
        said: dict[str, Any] = {"line": self.line, "families": self.families, "table": self.table()}
        self._check_chain(command)
        if command in ("-F", "-P") or (command == "-D" and self.arguments[1] is not None):
            self._nothing_else(command)
            bare: dict[str, Callable[..., AnyCommand]]
            bare = {"-F": Flush, "-P": SetPolicy, "-D": DeleteNumber}
            made = bare[command]
            return made(*self.arguments, **said)
        rule = self._rule()
        if command == "-I":
            number = self.arguments[1] or 1
            return Insert(rule, number, **said)
        made = Append if command == "-A" else DeleteRule
        return made(rule, **said)

    def table(self) -> TableName:
        given = self.given.get("table")
        return given.values[0] if given is not None else "filter"

    def _check_chain(self, command: str) -> None:
        """Refuse a chain that another table has, and a policy where packets are not filtered."""
        table, chain = self.table(), self.arguments[0]
        if chain is not None and chain not in CHAINS[table]:
            raise self.refusal(
                self.chain_word,
                f"the table {table} has no chain {chain}",
                f"Supported: {in_words(CHAINS)}.",
            )
        if command == "-P" and table != "filter":
            raise self.refusal(
                self.command, f"the table {table} filters nothing", "Set a policy without -t."
            )

    def _nothing_else(self, command: str) -> None:
        rest = [given.word for key, given in self.given.items() if key != "table"]
        for word in rest + [draft.word for draft in self.drafts]:
            raise self.refusal(word, f"{command} takes no {word.text} here", f"Remove {word.text}.")

    def _rule(self) -> Rule:
        protocol = self._made("protocol", Protocol)
        rule = Rule(
            chain=self.arguments[0],
            source=self._made("source", Peer),
            destination=self._made("destination", Peer),
            in_interface=self._made("in_interface", Interface),
            out_interface=self._made("out_interface", Interface),
            protocol=None if protocol == Protocol(0) else protocol,
            matches=tuple(self._match(draft) for draft in self.drafts),
            target=self._made("target", lambda target, _: target),
            reject_with=self._made("reject_with", lambda name, _: name),
            to=self._made("to", lambda to, _: to),
            table=self.table(),
        )
        self._check(rule)
        return rule

    def _made(self, key: str, make: Callable[[Any, bool], Any]) -> Any:
        given = self.given.get(key)
        return None if given is None else make(given.values[0], given.negated)

    def _match(self, draft: MatchDraft) -> Match:
        try:
            return finish(draft)
        except IncompleteMatchError as lacking:
            word = lacking.word or draft.word
            raise self.refusal(word, lacking.problem, lacking.instead) from None

    def _check(self, rule: Rule) -> None:
        problem = check(rule, self.families)
        if problem is not None:
            words = {key: given.word for key, given in self.given.items()}
            words |= {draft.module: draft.word for draft in self.drafts}
            raise self.refusal(
                words.get(problem.about, self.command), problem.problem, problem.instead
            )


_COMMAND_ARGUMENTS: dict[str, Callable[[_Line, Word], Iterable[Any]]] = {
    "-A": lambda line, word: (line.chain(word),),
    "-I": lambda line, word: (line.chain(word), line.number_if_any()),
    "-D": lambda line, word: (line.chain(word), line.number_if_any()),
    "-F": lambda line, word: (line.chain_if_any(word),),
    "-P": lambda line, word: (line.chain(word), line.policy(word)),
}
