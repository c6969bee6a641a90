#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A folder for a student to begin in: `./run new LANGUAGE DIR [--framing given|exercise] [--crypto given|exercise]`.

A kit of starter/ has regions that are handed out or left to write, as the teacher says:

    # >>> framing WIRE-05 WIRE-16 | what is to be done,
    # on as many lines as it takes
    ... the code ...
    # <<<

A language without a kit begins with its sample of tests/samples. Either way the suite and the text go along, so that
./check of the new folder needs nothing of this tree.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import jinja2

from prosa_conformance import registry

ROOT = Path(__file__).parents[1]
STARTER, SAMPLES = ROOT / "starter", ROOT / "tests" / "samples"
USAGE = 2
PARTS = ("framing", "crypto")
BUILT = ("__pycache__", "*.pyc", "*.o", "*.class", "bin", "build", "target", "node_modules", "report")
SUITE_NEEDS = ("python3", "python3-pytest", "python3-nacl", "python3-yaml", "python3-jinja2")
REGION = re.compile(
    r"^(?P<margin> *)(?:#|//) >>> (?P<part>\w+) (?P<clauses>[A-Z0-9 -]+?) \| "
    r"(?P<words>[^\n]*\n(?: *(?:#|//) (?!<<<)[^\n]*\n)*)"
    r"(?P<code>.*?)^ *(?:#|//) <<<\n",
    re.MULTILINE | re.DOTALL,
)
NEXT_LINE = re.compile(r"\n *(?:#|//) +")  # where the words of a region go on


def main() -> int:
    languages = tomllib.loads((STARTER / "languages.toml").read_text(encoding="utf-8"))
    options = parser(languages).parse_args()
    folder, language = options.folder, options.language
    source = source_of(language)
    if source is None:
        there = ", ".join(name for name in languages if source_of(name))
        return refuse(f"there is no kit and no sample for {language} in this tree yet; there are {there}")
    exercises = {part for part in PARTS if getattr(options, part) == "exercise"}
    if exercises and source.parent != STARTER:
        return refuse(f"{language} has a sample and no kit: --framing and --crypto have nothing to leave out there")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        return refuse(f"{folder} is there already and not empty; name a folder that does not exist")
    folder.mkdir(parents=True, exist_ok=True)
    make(folder, source, languages[language], exercises)
    tell(folder, source, language)
    return 0


def parser(languages: dict[str, Any]) -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="./run new", description="A folder for a student to begin in.")
    words.add_argument("language", choices=languages)
    words.add_argument("folder", metavar="DIR", type=Path, help="is made; must be empty if it is there")
    words.add_argument("--framing", choices=("given", "exercise"), default="given", help="encoder and decoder")
    words.add_argument("--crypto", choices=("given", "exercise"), default="given", help="signatures and hashes")
    return words


def refuse(why: str) -> int:
    print(f"run new: {why}", file=sys.stderr)
    return USAGE


def source_of(language: str) -> Path | None:
    places = (STARTER / language, SAMPLES / language)
    return next((place for place in places if place.is_dir()), None)


def make(folder: Path, source: Path, language: dict[str, Any], exercises: set[str]) -> None:
    ignored = shutil.ignore_patterns(*BUILT)
    shutil.copytree(source, folder, ignore=ignored, dirs_exist_ok=True)
    for name, origin in language.get("copies", {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / origin, folder / name)
    if source.parent == STARTER:
        for path in (path for path in folder.rglob("*") if path.is_file()):
            path.write_text(without_regions(path, exercises, language), encoding="utf-8")
    for path in sorted((STARTER / "common").rglob("*")):
        target = folder / path.relative_to(STARTER / "common")
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            own = target.read_text(encoding="utf-8") if target.exists() else ""  # such as a sample's .gitignore
            target.write_text(own + rendered(path, folder, language["needs"]), encoding="utf-8")
            target.chmod(path.stat().st_mode)
    shutil.copytree(ROOT / "conformance", folder / ".prosa" / "conformance", ignore=ignored)
    shutil.copytree(ROOT / "spec", folder / ".prosa" / "spec", ignore=ignored)


# --- regions ----------------------------------------------------------------------------


def without_regions(path: Path, exercises: set[str], language: dict[str, Any]) -> str:
    """The text of a file, where each region is handed out or left to write."""

    def decide(match: re.Match[str]) -> str:
        if match["part"] not in exercises:
            return match["code"]
        return left_out(match, NEXT_LINE.sub(" ", match["words"]).strip(), path.name, language)

    return REGION.sub(decide, path.read_text(encoding="utf-8"))


def left_out(match: re.Match[str], words: str, name: str, language: dict[str, Any]) -> str:
    clauses, margin = match["clauses"].replace(" ", ", "), match["margin"]
    before = match.string[: match.start()]
    owner = re.findall(r"(?:def |^\w[\w *]*?)(\w+)\(", before, re.MULTILINE)[-1]
    wrapped = textwrap.wrap(f"TODO {match['part']}: {words}. {clauses}", 110 - len(margin))
    comment = "".join(f"{margin}{language['comment']} {line}\n" for line in wrapped)
    statement = language["left"].format(words=f"TODO {match['part']} in {name}: write {owner}; read {clauses}")
    return f"{comment}{margin}{statement}\n"


# --- the files that all languages have -----------------------------------------------------


def rendered(path: Path, folder: Path, needs: list[str]) -> str:
    prosa = tomllib.loads((folder / "prosa.toml").read_text(encoding="utf-8"))
    packages = dict.fromkeys([*SUITE_NEEDS, *(row.split()[0] for row in needs)])
    text = path.read_text(encoding="utf-8")
    template = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined).from_string(text)
    programs = {"server": prosa["server"], "client": prosa["client"]}
    image_client = f"mine {prosa['client'].split()[-1]}"
    return template.render(
        needs="\n".join(needs), packages=" ".join(packages), **programs, image_client=image_client, **numbers()
    )


def numbers() -> dict[str, Any]:
    """What the cheat sheet says of level L1, from the registry."""
    frames = [frame for frame in registry.FRAMES.values() if frame.level == "L1"]
    announced = list({**registry.LIMITS, **registry.TIMERS})
    used = dict.fromkeys(name for frame in frames for name in frame.fields if name not in announced)
    rules = {rule.sender: ", ".join(rule.required) for rule in registry.RULES if rule.frame == "ACK"}
    fields = [registry.FIELDS[name] for name in used]
    tags = ", ".join(f"{field.name} {field.tag:04x} {field.kind}" for field in sorted(fields, key=lambda one: one.tag))
    timers = [registry.FIELDS[name] for name in announced]
    return {
        "version": registry.VERSION,
        "frames": [{**vars(frame), "columns": columns(frame, announced)} for frame in frames],
        "ack_server": rules["server"],
        "ack_client": rules["client"],
        "announced": ", ".join(f"{field.name} {field.tag:04x}" for field in timers) + ", each a u32",
        "tags": textwrap.fill(f"Tags (hexadecimal) and kinds: {tags}.", 118),
        "handshake_cap": registry.CONSTANTS["max_frame_handshake"],
        "labels": ", ".join(f"`{label[:-1].decode()}`" for label in list(registry.LABELS.values())[:5]),
        "codes": ", ".join(f"{code.number:04x} {code.name}" for code in registry.CODES.values()),
    }


def columns(frame: registry.FrameType, announced: list[str]) -> str:
    names = [f"[{name}]" if name in frame.optional else name for name in frame.fields if name not in announced]
    if any(name in announced for name in frame.fields):
        names.insert(-1, "limits and timers")
    return ", ".join(names)


def tell(folder: Path, source: Path, language: str) -> None:
    print(f"{folder} is ready.")
    if source.parent != STARTER:
        print(
            f"There is no kit for {language}: this is the sample program of {source.relative_to(ROOT)}, and it is\n"
            "finished. Take it as an example, or take out what you want written anew."
        )
    print(f"Next: cd {folder}; read CHEATSHEET.md; ./check")


if __name__ == "__main__":
    sys.exit(main())
