# SPDX-License-Identifier: MIT
"""What the grading is made of: rubric, roster, what is handed in, and points."""

from __future__ import annotations

import io
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from prosa_conformance.outcome import UsageError
from prosa_grading import assignment, images, local, points, program, roster, rubric, submissions, unpack
from prosa_grading.grade import Grade, State
from prosa_grading.images import NotBuilt
from prosa_grading.points import Mark
from prosa_grading.program import Program
from prosa_grading.roster import Student
from prosa_grading.submissions import Kind
from prosa_grading.unpack import Refused
from prosa_grading.watch import Interrupted, Watch

ASKED = assignment.ask(rubric.Rubric(("server",), {"L1": 40.0}, {"CON-*": 0.5}, "AUTH-08,AUTH-16,CON-05,CON-07"))


# --- the rubric ---


def test_the_default_rubric_is_of_a_hundred_points_for_what_can_be_shown() -> None:
    asked = assignment.ask(rubric.load())
    assert asked.max_points == 100
    assert set(asked.due) == {"L0", "L1", "L2", "L3", "L4"}
    assert asked.level == "L4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("points = 3", "[points] is a table of numbers"),
        ('roles = ["server"]\n[points]\nL1 = "much"', "points.L1 is 'much'"),
        ('roles = ["server"]\n[points]\nL1 = -1', "points.L1 is -1"),
        ('roles = ["server"]\n[points]\nL9 = 1', "points.L9: there are L0, L1"),
        ('roles = ["server"]\n[points]\nL1 = 0', "[points] gives no points"),
        ('roles = ["relay"]\n[points]\nL1 = 1', "roles is a list of server, client, codec"),
        ('roles = ["server"]\nlevel = "L1"', "unknown key level; known are roles, points, weights, only"),
        ("points = ", "not TOML"),
    ],
)
def test_a_rubric_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rubric.toml"
    path.write_text(text if "roles" in text else f'roles = ["server"]\n{text}')
    with pytest.raises(UsageError) as error:
        rubric.load(path)
    assert str(error.value).startswith(f"{path}: ") and said in str(error.value)


def test_the_longest_pattern_weighs() -> None:
    one = rubric.Rubric(("server",), {"L1": 1.0}, {"AUTH-*": 2.0, "AUTH-16": 5.0, "*": 0.5})
    assert [one.weight(clause) for clause in ("AUTH-16", "AUTH-01", "CON-05")] == [5.0, 2.0, 0.5]


def test_a_narrower_rubric() -> None:
    one = rubric.narrowed(rubric.load(), "L1", ("client",), "")
    assert (one.roles, list(one.points)) == (("client",), ["L0", "L1"])
    assert one.digest != rubric.load().digest


# --- points ---


def verdicts_of(**verdicts: str) -> list[dict[str, object]]:
    return [{"clauses": [name.replace("_", "-")], "verdict": verdict} for name, verdict in verdicts.items()]


@pytest.mark.parametrize(
    ("verdicts", "due"),
    [
        ({"AUTH_08": "pass", "AUTH_16": "pass", "CON_05": "pass", "CON_07": "pass"}, 40.0),
        ({"AUTH_08": "pass", "AUTH_16": "fail", "CON_05": "pass", "CON_07": "non-strict"}, 40 * 2 / 3),
        ({"AUTH_08": "pass", "AUTH_16": "inconclusive", "CON_05": "pass", "CON_07": "pass"}, 40.0),
        ({"AUTH_08": "pass", "AUTH_16": "not applicable", "CON_05": "fail", "CON_07": "pass"}, 40 * 1.5 / 2),
        ({"AUTH_08": "unsupported", "AUTH_16": "skipped", "CON_05": "pass", "CON_07": "pass"}, 40 / 3),
        ({"AUTH_08": "pass"}, 40 / 3),
        ({}, 0.0),
    ],
)  # fmt: skip
def test_points_by_verdicts(verdicts: dict[str, str], due: float) -> None:
    assert points.shares(verdicts_of(**verdicts), ASKED)["L1"].points == pytest.approx(due)


def test_one_failure_breaks_a_clause_whatever_else_passes() -> None:
    tests = [*verdicts_of(AUTH_08="pass"), *verdicts_of(AUTH_08="fail"), *verdicts_of(AUTH_08="inconclusive")]
    assert points.shares(tests, ASKED)["L1"].marks["AUTH-08"] is Mark.BROKEN


def test_a_machine_that_was_in_the_way_of_much_gives_no_grade() -> None:
    assert points.is_inconclusive(points.shares(verdicts_of(AUTH_08="inconclusive"), ASKED)), "one of four"
    assert not points.is_inconclusive(points.shares(verdicts_of(AUTH_08="fail"), ASKED))


def test_half_a_point_is_rounded_up() -> None:
    assert [points.whole(number) for number in (0.5, 1.5, 2.4999, 40.0)] == [1, 2, 2, 40]
    assert points.rounded(0.125) == 0.13


# --- the roster ---


def test_a_roster_as_spreadsheets_save_it(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes("\ufeffMatrícula;Nome;Entrega\r\n17;Ada Álvares;ada\r\n\r\n18;Bob;\r\n".encode())
    assert roster.load(path) == [Student("17", "Ada Álvares", "ada"), Student("18", "Bob")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nAda\n", "row 1: there is no column `student`; there are name"),
        ("student,name\nada,Ada\nbob\n", "row 3: 1 cells, and the header has 2"),
        ("student,name\nada,Ada\nada,Bob\n", "row 3, column student: 'ada' is there twice"),
        ("student,name\n,Ada\n", "row 2, column student: there is no value"),
        ("student,name\n", "there is no student in it"),
        ("", "the first row has to name the columns"),
    ],
)
def test_a_roster_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        roster.load(path)
    assert said in str(error.value)


def test_a_roster_in_another_code(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes("student,name\nada,Álvares\n".encode("latin-1"))
    with pytest.raises(UsageError, match="not UTF-8 at octet 17: save it as CSV UTF-8"):
        roster.load(path)


# --- what is handed in ---


def test_kinds_of_submissions(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "Bob Braga_4711_assignsubmission_file_").mkdir()
    for name in ("cid.tar.gz", "dan.zip", "eva.git", "fay.image", ".hidden"):
        (tmp_path / name).touch()
    found = {one.student.id: one.kind for one in submissions.find(tmp_path, None)}
    assert found == {
        "4711": Kind.FOLDER, "ada": Kind.FOLDER, "cid": Kind.ARCHIVE, "dan": Kind.ARCHIVE, "eva": Kind.GIT,
        "fay": Kind.IMAGE,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("ada.rar",), "ada.rar is no submission"),
        (("ada.zip", "ada.tar"), "are of the same student"),
        (("zoe.zip",), "the roster has no student for zoe"),
        ((), "there is no submission in it"),
    ],
)
def test_submissions_of_nobody(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=said):
        submissions.find(tmp_path, [Student("ada")])


@pytest.mark.parametrize("name", ["../out", "a/b", ".work", "exports", "a\nb", "x" * 101])
def test_a_student_is_no_place_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "ada").mkdir()
    with pytest.raises(UsageError, match=r"the roster: .* is no name for a student"):
        submissions.find(tmp_path, [Student(name, "", "ada")])


# --- taking a stranger's files ---


def packed(path: Path, *members: tuple[str, bytes | str]) -> Path:
    """A tar archive of files (octets) and links (a target)."""
    with tarfile.open(path, "w") as archive:
        for name, what in members:
            info = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
            else:
                info.type, info.linkname = tarfile.SYMTYPE, what
                archive.addfile(info)
    return path


def zipped(path: Path, *members: tuple[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, what in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | 0o755 if isinstance(what, bytes) else stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, what)
    return path


PACKERS = {"tar": packed, "zip": zipped}
Packer = Callable[..., Path]


@pytest.fixture(params=PACKERS)
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Packer:
    return lambda *members: PACKERS[request.param](tmp_path / f"it.{request.param}", *members)


def test_the_same_content_has_one_digest(tmp_path: Path, pack: Packer) -> None:
    folder = tmp_path / "folder"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "server.py").write_bytes(b"hello")
    (folder / "link").symlink_to("src/server.py")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").touch()
    digest = unpack.take(folder, tmp_path / "one")
    archive = pack(("top/src/server.py", b"hello"), ("top/link", "src/server.py"))
    unpack.take(archive, tmp_path / "two")
    (tmp_path / "two" / "src" / "server.py").chmod(0o644)
    assert unpack.digest(tmp_path / "two") == digest
    assert (tmp_path / "two" / "link").read_bytes() == b"hello"
    (tmp_path / "two" / "src" / "server.py").write_bytes(b"hallo")
    assert unpack.digest(tmp_path / "two") != digest


@pytest.mark.parametrize(
    "members",
    [
        [("../out", b"x")],
        [("/tmp/out", b"x")],
        [("a/../../out", b"x")],
        [("C:/out", b"x")],
        [("..\\out", b"x")],
        [("link", "/etc/passwd"), ("a", b"x")],
        [("link", "../out"), ("a", b"x")],
        [("d/up", ".."), ("link", "d/up/../out"), ("a", b"x")],
        [("link", "."), ("link/file", b"x")],
        [("a", b"x"), ("a", b"y")],
        [("a", b"x"), ("a/b", b"y")],
        [("x" * 300, b"x")],
        [("/".join("d" * 50), b"x")],
    ],
)
def test_nothing_leaves_the_folder(tmp_path: Path, pack: Packer, members: list[tuple[str, bytes | str]]) -> None:
    archive = pack(*members)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refused):
        unpack.take(archive, tmp_path / "into")
    assert [path for path in sorted(tmp_path.rglob("*")) if not path.is_relative_to(tmp_path / "into")] == before
    assert not Path("/tmp/out").exists()


def test_a_bomb_is_stopped_when_it_has_grown_too_large(
    tmp_path: Path, pack: Packer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MOST_OCTETS", 1 << 20)
    with pytest.raises(Refused, match="larger than 1 MB"):
        unpack.take(pack(("a", bytes(1 << 19)), ("b", bytes(1 << 20))), tmp_path / "into")
    written = sum(path.stat().st_size for path in (tmp_path / "into").rglob("*"))
    assert written <= 1 << 20
    monkeypatch.setattr(unpack, "MOST_FILES", 2)
    with pytest.raises(Refused, match="more than 2 files"):
        unpack.take(pack(("a", b""), ("b", b""), ("c", b"")), tmp_path / "again")


@pytest.mark.parametrize("name", ["it.tar.gz", "it.zip", "it.tar"])
def test_an_archive_that_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not an archive, but long enough to be one" * 40)
    with pytest.raises(Refused, match=f"the archive {name} is broken"):
        unpack.take(tmp_path / name, tmp_path / "into")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    with pytest.raises(Refused, match="pipe is neither a file"):
        unpack.take(folder, tmp_path / "into")


def test_an_archive_in_the_folder_that_moodle_makes(tmp_path: Path) -> None:
    folder = tmp_path / "Ada_1_assignsubmission_file_"
    folder.mkdir()
    zipped(folder / "mine.zip", ("server-1.0/server.py", b"x"))
    unpack.take(folder, tmp_path / "into")
    assert (tmp_path / "into" / "server.py").read_bytes() == b"x"


# --- what a submission says of itself ---


def described(folder: Path, text: str, *files: str) -> Program:
    (folder / "prosa.toml").write_text(text)
    for name in files:
        (folder / name).touch()
    return program.read(folder, ASKED)


def test_what_of_a_description_counts(tmp_path: Path) -> None:
    said = described(
        tmp_path,
        'server = "python3 s.py"\nlevels = ["L1", "L4"]\nfeatures = ["resume"]\nlanguage = "Python"\n'
        '[[known_failures]]\ntest = "*"\nreason = "all of it"\n',
    )
    assert (said.level, said.features, said.language) == ("L1", (), "python"), "no more than what is asked for"
    text = program.description("ada", said, {"server": "python3 s.py"}, are_images=False)
    assert "known_failures" not in text and 'server = "python3 s.py"' in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('client = "x"\nlevels = ["L1"]', "it has no server"),
        ('server = "x"\nlevels = ["L0"]', "it claims less than what is asked for"),
        ('server_image = "somebody-elses"\nlevels = ["L1"]', "there is no Dockerfile to make them of"),
        ('server = "x"\nlevels = ["L7"]', "prosa.toml: levels is a list of"),
        ("a = " + "[" * 5000, "prosa.toml: not TOML"),
    ],
)
def test_a_description_that_will_not_do(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        described(tmp_path, text)


def test_an_image_that_a_student_names_is_made_of_the_students_dockerfile(tmp_path: Path) -> None:
    said = described(tmp_path, 'server_image = "mine --fast"\nlevels = ["L1"]', "Dockerfile")
    assert said.arguments == {"server": ("--fast",)} and not said.commands


def test_a_language_that_nobody_knows(tmp_path: Path) -> None:
    one = Program("cobol", "", {"server": ("x",)}, {}, "L1", ())
    with pytest.raises(Refused, match=r"is .cobol.: known are python, c, javascript, java, go, rust"):
        images.built(tmp_path, one, "tag", tmp_path / "log", Watch(), images.Shelf())


def test_a_build_that_fails_here(tmp_path: Path) -> None:
    one = Program("c", "false", {"server": ("x",)}, {}, "L1", ())
    with pytest.raises(NotBuilt, match="it does not build: 1"):
        local.prepared(tmp_path, one, tmp_path / "log", Watch())


# --- what runs ---


def test_a_watch_that_is_over_begins_nothing() -> None:
    watch = Watch()
    assert watch.run(["echo", "hello"], seconds=60).text == "hello\n"
    watch.stop()
    with pytest.raises(Interrupted):
        watch.run(["true"], seconds=60)


def test_who_does_not_go_is_ended_by_force() -> None:
    asked: list[int] = []
    done = Watch(grace_s=0.1).run(
        ["sh", "-c", "trap '' INT; while :; do sleep 1000; done"], seconds=0.1, kill=asked.append
    )
    assert done.is_late and done.code == -9 and len(asked) == 1


def test_images_of_two_students_have_two_names() -> None:
    one, other = (images.tag_of(folder, "Ada Á", "f" * 64) for folder in ("/one", "/other"))
    assert one != other, "two classes of one engine, too"
    assert re.fullmatch(r"prosa-grade/[0-9a-f]{12}:f{12}", one), one


def test_who_is_not_graded_has_no_points() -> None:
    grade = Grade("ada", "", State.NOT_GRADED, "the machine", points.shares([], ASKED))
    assert not grade.is_graded and grade.max == 40
