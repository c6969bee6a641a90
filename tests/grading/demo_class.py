# SPDX-License-Identifier: MIT
"""A class of twelve, made of the small programs in class/ as students hand things in."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SUITE = ROOT / "conformance" / "prosa_conformance"
DESCRIPTION = 'name = "{name}"\nlanguage = "{language}"\nserver = "{python} -u server.py"\nlevels = ["L1"]\n{more}'
BROKEN_BUILD = "build = \"python3 -c 'import no_such_module'\"\n"
PROGRAMS = {
    "ada": "right", "bob": "nearly_right", "cid": "wrong", "dan": "hangs_at_start", "eva": "hangs_later",
    "fay": "forks", "gus": "eats", "hal": "cheats", "leo": "right",
}  # fmt: skip
NAMES = {
    "ada": "Ada Álvares", "bob": "Bob Braga", "cid": "Cid Campos", "dan": "Dan Dias", "eva": "Eva Esteves",
    "fay": "Fay Franco", "gus": "Gus Gama", "hal": "Hal Henriques", "ida": "Ida Ibarra", "jon": "Jon Jardim",
    "kim": "Kim Kubo", "leo": "Leo Lima",
}  # fmt: skip
HOSTILE = ("fay", "gus")  # to this machine, but for containers


def description(name: str, base: str, more: str = "") -> str:
    """A prosa.toml; the Python of images is their own."""
    python = "python3" if base else sys.executable
    return DESCRIPTION.format(name=name, language="python", python=python, more=more)


def program(folder: Path, name: str, base: str = "") -> Path:
    """A student's server on the suite's own codec; with `base` in an image of that name."""
    folder.mkdir(parents=True)
    shutil.copyfile(HERE / "class" / f"{PROGRAMS[name]}.py", folder / "server.py")
    for path in (ROOT / "tests" / "suite").glob("mini_*.py"):
        shutil.copyfile(path, folder / path.name)
    (folder / "prosa_conformance").mkdir()
    for path in (*SUITE.glob("*.py"), SUITE / "clauses.json"):
        shutil.copyfile(path, folder / "prosa_conformance" / path.name)
    (folder / "prosa.toml").write_text(description(name, base))
    if base:
        (folder / "Dockerfile").write_text(f'FROM {base}\nWORKDIR /srv\nCOPY . .\nENTRYPOINT []\nCMD ["false"]\n')
    return folder


def make(folder: Path, students: Iterable[str] = NAMES, base: str = "", has_template: bool = False) -> Path:
    """SUBMISSIONS of these students. With `has_template` ada's image is made by the template for Python."""
    submissions, elsewhere = folder / "submissions", folder / "elsewhere"
    submissions.mkdir(parents=True)
    for name in students:
        its = "" if has_template and name == "ada" else base
        if name == "bob":
            pack(program(elsewhere / "bob-1.0", name, its), submissions / "bob.tar.gz")
        elif name == "leo":
            (submissions / "leo.git").write_text(f"# mine\n{repository(program(elsewhere / 'leo', name, its))}\n")
        elif name == "ida":
            (program(submissions / name, "ada", its) / "prosa.toml").write_text(description(name, its, BROKEN_BUILD))
            break_build(submissions / name)
        elif name == "jon":
            (submissions / name).mkdir()
        elif name == "kim":
            (program(submissions / name, "ada", its) / "prosa.toml").write_text('name = "kim"\nlevels = [L1]\n')
        else:
            program(submissions / name, name, its)
    return submissions


def break_build(folder: Path) -> None:
    if (folder / "Dockerfile").exists():
        (folder / "Dockerfile").write_text(
            (folder / "Dockerfile").read_text() + 'RUN python3 -c "import no_such_module"\n'
        )


def pack(folder: Path, archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder, folder.name)


def repository(folder: Path) -> str:
    """The URL of a bare repository with these files."""
    bare = folder.with_name(folder.name + ".bare")
    as_somebody = ("-c", "user.name=leo", "-c", "user.email=leo@example.com", "-c", "init.defaultBranch=main")
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message=all of it")):
        subprocess.run(["git", *as_somebody, *words], cwd=folder, check=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", str(folder), str(bare)], check=True)
    return bare.as_uri()


def roster(folder: Path, students: Iterable[str] = NAMES) -> Path:
    path = folder / "roster.csv"
    rows = [f"{name};{NAMES[name]};{name}@example.com" for name in students]
    path.write_text("\n".join(["\ufeffstudent;name;email", *rows]) + "\n", encoding="utf-8")
    return path
