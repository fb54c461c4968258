"""The ledger as data: what an entry may say, and one clear message for each that may not be so."""

from pathlib import Path

import pytest

from sockstates.ledger.claims import CONDITION, FALSE, HOLDS, Ledger, by_number
from sockstates.ledger.reading import LedgerError, read_ledger

ARTICLE = '[article]\ntitle = "A title"\nabout = "About it."\n'
ENTRY = '[[claim]]\nid = "T7"\nsays = "It is so."\nverdict = "holds"\n'


def ledger(folder: Path, *texts: str) -> Ledger:
    for name, text in zip("abc", texts, strict=False):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return read_ledger([folder])


def entry(**changes: str | None) -> str:
    """An article with one claim, some of its keys otherwise; None: left out."""
    keys = dict[str, str | None](id="T7", says="It is so.", verdict="holds") | changes
    lines = [f'{name} = "{value}"' for name, value in keys.items() if value is not None]
    return "\n".join([ARTICLE, "[[claim]]", *lines])


def test_articles_come_by_name_and_claims_in_their_order(tmp_path: Path) -> None:
    conditional = entry(id="T8", verdict=CONDITION, condition="at night", instead="by day not")
    other = conditional.replace("A title", "Another").replace(
        "by day not", 'by day not"\nsource = "section 3'
    )
    read = ledger(tmp_path, ARTICLE + ENTRY, other)
    assert [article.name for article in read.articles] == ["a", "b"]
    assert [article.title for article in read.articles] == ["A title", "Another"]
    assert read.articles[0].about == "About it."
    first, second = read.claims
    assert (first.id, first.verdict, first.verdict_text) == ("T7", HOLDS, "holds")
    assert second.verdict_text == "holds under a condition: at night. Otherwise: by day not"
    assert second.source == "section 3"
    assert read.sentences == {"T7": "It is so.", "T8": "It is so."}


def test_false_says_what_happens_instead(tmp_path: Path) -> None:
    (claim,) = ledger(tmp_path, entry(verdict=FALSE, instead="it is not")).claims
    assert claim.verdict_text == "false here. Instead: it is not"


def test_no_files_are_an_empty_ledger(tmp_path: Path) -> None:
    assert not ledger(tmp_path).articles


WRONG = {
    "claim T7: there is no key 'verdcit', only id, says, verdict, condition, instead, source; "
    "did you mean 'verdict'?": entry(verdcit="holds"),
    "claim T7: there is no key 'colour', only id, says,": entry(colour="red"),
    "claim number 1: it needs 'id': id = \"…\"": entry(id=None),
    "claim T7: it needs 'says': says = \"…\"": entry(says=None),
    "claim T7: it needs 'verdict': verdict = \"…\"": entry(verdict=None),
    "claim T7: 'says' is a text that is not empty, not ' '": entry(says=" "),
    "claim T7: 'source' is a text that is not empty, not 3": entry() + "\nsource = 3",
    "claim T 7: an id is one word": entry(id="T 7"),
    "claim T7: there is no verdict 'hold', only 'holds', 'holds under a condition', 'false here'; "
    "did you mean 'holds'?": entry(verdict="hold"),
    "claim T7: there is no verdict 'maybe', only 'holds',": entry(verdict="maybe"),
    "claim T7: 'condition' goes with 'holds under a condition', not 'holds'": entry(condition="c"),
    "claim T7: 'condition' goes with 'holds under a condition', not 'false here'": entry(
        verdict=FALSE, condition="c", instead="i"
    ),
    "claim T7: 'instead' goes with 'holds under a condition' or 'false here', not 'holds'": entry(
        instead="i"
    ),
    "claim T7: with the verdict 'holds under a condition' it needs 'condition': when": entry(
        verdict=CONDITION, instead="i"
    ),
    "claim T7: with the verdict 'holds under a condition' it needs 'instead': what happens": entry(
        verdict=CONDITION, condition="c"
    ),
    "claim T7: with the verdict 'false here' it needs 'instead': what happens": entry(
        verdict=FALSE
    ),
    'it needs a table [article] with a title: title = "…"': ENTRY,
    "[article]: it needs 'title': title = \"…\"": '[article]\nabout = "x"\n',
    "[article]: there is no key 'titel', only title, about; did you mean 'title'?": ARTICLE
    + 'titel = "x"',
    "the file: there is no key 'claims', only article, claim; did you mean 'claim'?": ARTICLE
    + ENTRY.replace("[claim]", "[claims]"),
    "claims are a list: write [[claim]], with two brackets, above each": ARTICLE
    + ENTRY.replace("[[claim]]", "[claim]"),
    "claim number 1 is not a table: write [[claim]] above it": 'claim = ["T7"]\n' + ARTICLE,
    "it is not TOML: Expected": ARTICLE + "[[claim]]\nid T7",
    "claim T7: that id is twice in it; each claim has its own": ARTICLE + ENTRY + ENTRY,
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_entry_is_one_message(tmp_path: Path, message: str) -> None:
    with pytest.raises(LedgerError) as raised:
        ledger(tmp_path, WRONG[message])
    (said,) = str(raised.value).splitlines()
    assert said.startswith(f"{tmp_path}/a.toml: {message}")


def test_an_id_in_two_files_names_both(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as raised:
        ledger(tmp_path, ARTICLE + ENTRY, ARTICLE + ENTRY)
    assert str(raised.value) == (
        f"{tmp_path}/b.toml: claim T7: that id is in {tmp_path}/a.toml too; each claim has its own"
    )


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as raised:
        ledger(tmp_path, entry(verdict="hold"), "[article", entry(id=None))
    assert len(str(raised.value).splitlines()) == 3


def test_what_is_no_text_and_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "b.toml").mkdir()
    with pytest.raises(LedgerError) as raised:
        read_ledger([tmp_path])
    first, second = str(raised.value).splitlines()
    assert first.startswith(f"{tmp_path}/a.toml: it is not TOML: 'utf-8' codec")
    assert second == f"{tmp_path}/b.toml: it cannot be read: Is a directory"


def test_an_unknown_id_is_named_with_the_nearest(tmp_path: Path) -> None:
    read = ledger(tmp_path, entry(id="T27"))
    assert read.unknown(["T27"]) is None
    assert read.unknown(["T27", "T72"]) == (
        "there is no claim 'T72' in the ledger (a); did you mean 'T27'?"
    )
    assert read.unknown(["t27"]) == (
        "there is no claim 't27' in the ledger (a); did you mean 'T27'?"
    )
    assert read.unknown(["X"]) == "there is no claim 'X' in the ledger (a)"


def test_claims_are_sorted_by_their_numbers() -> None:
    assert sorted(["T10", "H2", "T9", "T", "X1a"], key=by_number) == ["H2", "T", "T9", "T10", "X1a"]
