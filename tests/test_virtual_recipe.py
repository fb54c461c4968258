"""What makes a kernel's tree ours: the fragment held against a .config, the changes to files."""

from pathlib import Path

import pytest

from sockstates.virtual import recipe
from sockstates.virtual.errors import BuildFailed
from sockstates.virtual.recipe import CHANGES, Change, Option
from tests.fake_kernel_tree import CLOCK as TIME
from tests.fake_kernel_tree import KCONFIG, OFFSETS, plant_files

HZ, PERF, VECTORS, CLOCK = CHANGES


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_changes_are_made_once(tmp_path: Path) -> None:
    recipe.apply_changes(plant_files(tmp_path))
    changed = everything(tmp_path)
    assert "config HZ\n\tint\n\tdefault 250\n" in changed["arch/um/Kconfig"]
    assert "default y\n\tselect HAVE_PERF_EVENTS\n\tselect ARCH" in changed["arch/um/Kconfig"]
    assert "HOST_FP_SIZE, 12288" in changed["arch/x86/um/user-offsets.c"]
    assert "arch/um/include/asm/perf_event.h" in changed
    assert "latest + 1" in changed["arch/um/kernel/time.c"]
    recipe.apply_changes(tmp_path)
    assert everything(tmp_path) == changed


def test_a_version_without_a_fixed_room_for_vectors_needs_no_change(tmp_path: Path) -> None:
    offsets = OFFSETS.partition("#ifdef")[0]
    recipe.apply_changes(plant_files(tmp_path, offsets=offsets))
    assert everything(tmp_path)["arch/x86/um/user-offsets.c"] == offsets


def test_a_version_with_perf_events_of_its_own_keeps_them(tmp_path: Path) -> None:
    kconfig = KCONFIG.replace("\tselect ARCH", "\tselect HAVE_PERF_EVENTS\n\tselect ARCH")
    header = tmp_path / recipe.NEW_FILES[0].file
    plant_files(tmp_path, kconfig)
    header.write_text("its own")
    recipe.apply_changes(tmp_path)
    assert everything(tmp_path)["arch/um/Kconfig"].count("HAVE_PERF_EVENTS") == 1
    assert header.read_text() == "its own"


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.after.split()[-1])
def test_a_place_that_is_not_found_is_said_with_the_reason(change: Change) -> None:
    text = (KCONFIG + OFFSETS + TIME).replace("default 100", "default 128")
    text = (
        text.replace("default y", "def_bool y")
        .replace("2696", "4096")
        .replace("return time", "return a_time")
    )
    with pytest.raises(BuildFailed) as caught:
        recipe.changed_text(text, change)
    assert change.file in str(caught.value)
    assert change.reason in str(caught.value)
    assert change.before in str(caught.value)


def test_a_place_that_is_there_twice_is_not_guessed() -> None:
    with pytest.raises(BuildFailed, match="2 times, not once"):
        recipe.changed_text(KCONFIG * 2, HZ)


def test_a_tree_without_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="arch/um/Kconfig"):
        recipe.apply_changes(tmp_path)


def test_since_stands_for_the_next_line_only() -> None:
    found = recipe.read_options("CONFIG_A=y\n# since 6.12\nCONFIG_B=4\nCONFIG_C=n\n# CONFIG_D=y\n")
    assert found == [
        Option("CONFIG_A", "y"),
        Option("CONFIG_B", "4", "6.12"),
        Option("CONFIG_C", "n"),
    ]


def test_what_a_configuration_lacks() -> None:
    wanted = recipe.read_options(
        'CONFIG_A=y\n# since 6.12\nCONFIG_B=4\nCONFIG_C=n\nCONFIG_D=n\nCONFIG_E="x"\n'
    )
    text = '#\nCONFIG_AB=y\nCONFIG_C=y\n# CONFIG_D is not set\nCONFIG_E="x"\n'
    names = [option.name for option in recipe.lacking(wanted, text, "6.1")]
    assert names == ["CONFIG_A", "CONFIG_C"]
    assert len(recipe.lacking(wanted, text, "6.12")) == 3


def test_our_fragment_says_each_option_once_and_in_lines_that_are_understood() -> None:
    lines = recipe.FRAGMENT.read_text().splitlines()
    options = recipe.options()
    assert len(options) == sum(line.startswith("CONFIG_") for line in lines)
    assert len({option.name for option in options}) == len(options)
    assert all(not line or line.startswith(("# ", "CONFIG_")) for line in lines)
    assert Option("CONFIG_UML_TIME_TRAVEL_SUPPORT", "y") in options


def test_the_digest_names_the_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = recipe.digest()
    assert recipe.digest() == before
    monkeypatch.setattr(recipe, "CHANGES", CHANGES[1:])
    without = recipe.digest()
    (tmp_path / "other.config").write_text("CONFIG_A=y\n")
    monkeypatch.setattr(recipe, "FRAGMENT", tmp_path / "other.config")
    assert len({before, without, recipe.digest()}) == 3
