# SPDX-License-Identifier: MIT
"""What a submission says of itself (prosa.toml, Dockerfile), and the description by which the suite runs it.

Of a student's prosa.toml counts what the assignment leaves to students: the commands, the level that is claimed, and
who answers. Names of images and known failures do not.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prosa_conformance import contract
from prosa_conformance.contract import LEVELS
from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError
from prosa_grading.assignment import Assignment
from prosa_grading.unpack import Refused

FILE = "prosa.toml"
DOCKERFILE = "Dockerfile"


@dataclass(frozen=True)
class Program:
    language: str
    build: str
    commands: Mapping[str, tuple[str, ...]]  # by role
    arguments: Mapping[str, tuple[str, ...]]  # by role, for the entry point of its image
    level: str  # at which it is run
    features: tuple[str, ...]
    answers: str = "operator"
    has_dockerfile: bool = False

    @property
    def roles(self) -> set[str]:
        return {*self.commands, *self.arguments}


def bare(assignment: Assignment, words: tuple[str, ...] = ()) -> Program:
    """A server of which nothing is known but its image."""
    return Program("", "", {}, {"server": words}, assignment.level, assignment.features, has_dockerfile=True)


def read(folder: Path, assignment: Assignment) -> Program:
    """Refused says what is wrong with it, in a student's words."""
    has_dockerfile = (folder / DOCKERFILE).is_file()
    if not any(folder.iterdir()):
        raise Refused(_("there is nothing in it"))
    if not (folder / FILE).is_file():
        if not has_dockerfile:
            raise Refused(_("there is neither a prosa.toml nor a Dockerfile at its top"))
        program = bare(assignment)
    else:
        program = _described(_load(folder / FILE), assignment, has_dockerfile)
    if not program.roles & set(assignment.roles):
        raise Refused(_("it has no {roles}, and nothing else is asked for").format(roles=", ".join(assignment.roles)))
    if not program.level:
        words = _("it claims less than what is asked for: levels in prosa.toml; asked for is {level}")
        raise Refused(words.format(level=assignment.level))
    return program


def _load(path: Path) -> contract.Implementation:
    try:
        return contract.load(path)
    except UsageError as error:
        raise Refused(str(error).replace(str(path), FILE)) from None
    except RecursionError:
        raise Refused(_("{path}: not TOML: {error}").format(path=FILE, error=_("too many brackets"))) from None


def _described(said: contract.Implementation, assignment: Assignment, has_dockerfile: bool) -> Program:
    if said.images and not has_dockerfile:
        raise Refused(_("prosa.toml names images, and there is no Dockerfile to make them of"))
    return Program(
        language=said.language.lower(),
        build=said.build,
        commands={role: tuple(shlex.split(command)) for role, command in said.commands.items()},
        arguments={role: tuple(shlex.split(image)[1:]) for role, image in said.images.items()},
        level=assignment.level_for(said.levels),
        features=tuple(name for name in said.features if name in assignment.features),
        answers=said.answers,
        has_dockerfile=has_dockerfile,
    )


def description(name: str, program: Program, programs: Mapping[str, str], are_images: bool) -> str:
    """The prosa.toml that the suite gets."""
    rows = {f"{role}_image" if are_images else role: words for role, words in programs.items()}
    said = {
        "name": name,
        "language": program.language,
        **rows,
        "levels": [program.level],
        "features": list(program.features if program.level >= LEVELS[2] else ()),
        "answers": program.answers,
    }
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in said.items())
