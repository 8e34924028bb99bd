"""What `--help` says, of every command there is."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from controlplane.cli import cli


def commands(command: Any, *path: str) -> Iterator[tuple[Any, tuple[str, ...]]]:
    yield command, path
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *path, name)


COMMANDS = [
    pytest.param(*each, id=" ".join(("controlplane", *each[1])))
    for each in commands(get_command(cli))
]


@pytest.mark.parametrize(("command", "path"), COMMANDS)
def test_the_help_of_a_command_is_whole(command: Any, path: tuple[str, ...]) -> None:
    said = CliRunner().invoke(cli, [*path, "--help"])

    assert said.exit_code == 0
    assert not re.search(r"\w\.\.\.$", said.output, re.MULTILINE)  # a sentence that was cut
    options = said.output.partition("Options:")[2]
    assert not re.search(r"<\w+(\[\w+\])?>", options)  # a type of Python
    assert [each.name for each in command.params if not each.help] == []


def test_every_command_is_looked_at() -> None:
    assert len(COMMANDS) > 30
