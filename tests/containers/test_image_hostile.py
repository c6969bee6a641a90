# SPDX-License-Identifier: MIT
"""Programs that mean harm, or do it by accident: the verdict is right, the words help, and nothing is left of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine import ROOT
from isolated import Conform, build

SHORT = ("--level", "L1", "--time-scale", "0.4")
FEW = ("-k", "four_frames or sigterm or port_zero")


@pytest.fixture(scope="session")
def hostile(suite_image: str) -> str:
    file = ROOT / "tests" / "containers" / "hostile" / "Dockerfile"
    return build("prosa-test-hostile", "--build-arg", f"SUITE={suite_image}", "--file", file)


@pytest.fixture(scope="session")
def as_root(hostile: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same for who would be root, under another name and with volumes of its own."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "Dockerfile").write_text(
        f"FROM {hostile}\nUSER root\nRUN echo toor::0:0::/:/bin/sh >> /etc/passwd\nVOLUME /opt /home\nUSER toor\n"
    )
    return build("prosa-test-hostile-root", context=folder)


def mischief(text: str) -> list[str]:
    return re.findall(r"mischief: (.*)", text)


@pytest.mark.parametrize("image", ["hostile", "as_root"])
def test_it_reaches_nothing(conform: Conform, image: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Not the network, the engine, the tester, the report, this machine's files, nor another user's rights."""
    report = tmp_path / "report"
    outcome = conform("--image", f"{request.getfixturevalue(image)} reach {report} {tmp_path}", *SHORT, *FEW)
    assert outcome.code == 3, outcome.text
    (told,) = mischief(outcome.text)
    user = "10001" if image == "hostile" else "65532"
    assert re.fullmatch(rf"user {user}, group \d+, 0 ways out", told), outcome.text


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("forks", r"128 processes and threads in all(.|\n)*mischief: 12\d processes, then:.*unavailable"),
        ("eats", r"killed by the engine: it wanted more than 256 MB of memory(.|\n)*256 MB of memory, and no swap"),
        (
            "fills",
            r"There was no more room(.|\n)*mischief: \d+ MB in /data, then:.*No space(.|\n)*mischief: 6\d MB in /tmp",
        ),
        ("big_file", r"no file(.|\n)*beyond 64 MB(.|\n)*File too large"),
        ("only_floods", r"the server never printed READY(.|\n)*on stdout came: READY\? not yet"),
        ("silent", r"the server never printed READY(.|\n)*still running after"),
        ("writes_home", r"only PROSA_DATA and /tmp can be written(.|\n)*Read-only file system: 'key'"),
    ],
)
def test_it_does_not_start(conform: Conform, hostile: str, what: str, words: str) -> None:
    outcome = conform("--image", f"{hostile} {what}", *SHORT, *FEW)
    assert outcome.code == 3, outcome.text
    assert re.search(words, outcome.text), outcome.text


def test_words_for_a_student_who_reads_portuguese(conform: Conform, hostile: str) -> None:
    outcome = conform("--image", f"{hostile} eats", *SHORT, *FEW, "--lang", "pt_BR")
    assert outcome.code == 3, outcome.text
    assert "256 MB de memória" in outcome.text, outcome.text


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("stays", "the server did not send BYE {code='SHUTDOWN'}"),
        ("lies", "the server ended the connection where CHALLENGE was due"),
        ("hungry", "the engine killed the server: it wanted more than 256 MB of memory"),
    ],
)
def test_it_breaks_the_protocol(conform: Conform, hostile: str, what: str, words: str) -> None:
    """What it says about itself counts for nothing."""
    outcome = conform("--image", f"{hostile} {what}", *SHORT, *FEW)
    assert outcome.code == 1, outcome.text
    assert words in outcome.text, outcome.text
    assert "fail" in outcome.verdicts().values(), outcome.verdicts()


@pytest.mark.parametrize("what", ["floods", "links"])
def test_it_harms_nobody(conform: Conform, hostile: str, what: str) -> None:
    """Much that is said, and odd things in its folder: the tests go on as with any other."""
    outcome = conform(
        "--image", f"{hostile} {what}", "--level", "L1", "-k", "four_frames or lost_folder or key_is_kept"
    )
    assert outcome.code == 0, outcome.text
    assert set(outcome.verdicts().values()) == {"pass"}, outcome.verdicts()
