"""The container's image has every real program that scenarios run."""

import re
from pathlib import Path

from sockstates.programs import PACKAGES

DOCKERFILE = Path(__file__).parents[1] / "Dockerfile"


def test_the_image_installs_the_package_of_every_program() -> None:
    command = re.search(r"apt-get install [^&]*", DOCKERFILE.read_text())
    assert command is not None
    installed = set(command.group().replace("\\\n", " ").split())
    assert set(PACKAGES.values()) - installed == set()
