# SPDX-License-Identifier: MIT
"""The words of the command line that name a subject, and those that a replay gives back."""

from __future__ import annotations

import shlex

import pytest

from prosa_conformance.cli import implementation, parser

SUBJECTS = (
    "--cmd 'python3 server.py' --client-cmd 'client --json'",
    "--cmd server --answers echo --features resume,audit",
    "--client-cmd client --features liveness",
    "--image ada-server --client-image 'ada-client --json' --codec-image ada-codec",
    "--image ada-server --answers echo --features audit",
    "--connect 127.0.0.1:65432 --answers echo",
    "--connect [::1]:65432 --answers echo --features audit",
)


@pytest.mark.parametrize("words", SUBJECTS)
def test_a_replay_names_the_same_subject(words: str) -> None:
    subject = implementation(parser().parse_args(shlex.split(words)))
    again = implementation(parser().parse_args(shlex.split(subject.source())))
    assert again == subject, subject.source()


def test_every_option_stands_in_a_group_and_is_explained() -> None:
    for action in (action for action in parser()._actions if action.dest != "help"):
        assert action.help, f"{action.option_strings} is not explained"
    text = parser().format_help()
    own = text.partition("options:")[2].partition("\n\n")[0]
    assert " ".join(own.split()) == "-h, --help show this help message and exit", f"without a group: {own}"
