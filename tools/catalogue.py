#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Keeps the catalogues of words, in conformance/prosa_conformance/locale/*/LC_MESSAGES/prosa.po.

    tools/catalogue.py            take up new words of the sources, drop old ones, compile each .mo
    tools/catalogue.py --check    change nothing; say what is missing or out of date, and end with 1
    tools/catalogue.py --pot      print the template for a new language

Words are what the sources of suite and grading mark with `_`, `N_` and `ngettext`, what templates mark, and
the sentences of the clause tests (see spoken.py). Takes gettext's
programs (Debian: gettext).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import jinja2

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "conformance"))

from prosa_conformance import spoken  # noqa: E402

PACKAGES = [ROOT / "conformance" / name for name in ("prosa_conformance", "prosa_grading")]
CATALOGUES = PACKAGES[0] / "locale"
HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n'
DATED = '"POT-Creation-Date'  # the same words make the same file
Words = Iterator[tuple[Path, str]]


def run(*words: str | Path, cwd: Path = ROOT) -> str:
    """The output of one of gettext's programs; its complaint ends this one."""
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{words[0]}: {done.stderr.strip()}")
    return done.stdout


# --- where the words are ---


def marked_words() -> str:
    """A template of what is marked in Python."""
    files = sorted(path.relative_to(ROOT) for package in PACKAGES for path in package.rglob("*.py"))
    keywords = ("--keyword=_", "--keyword=N_", "--keyword=ngettext:1,2", "--keyword=pgettext:1c,2")
    form = ("--language=Python", "--from-code=UTF-8", "--add-location=file", "--package-name=prosa-conformance")
    return run("xgettext", *form, *keywords, "--output=-", *files)


def template_words() -> Words:
    """What the report's templates mark; the plural stands behind a NUL."""
    environment = jinja2.Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    for path in sorted(path for package in PACKAGES for path in (package / "templates").glob("*")):
        for _line, _function, message in environment.extract_translations(path.read_text(encoding="utf-8")):
            yield path, "\0".join(filter(None, message)) if isinstance(message, tuple) else message


def template() -> str:
    """All words of the suite as gettext's template."""
    with tempfile.TemporaryDirectory() as folder:
        marked, plain = Path(folder) / "marked.pot", Path(folder) / "plain.pot"
        marked.write_text(marked_words(), encoding="utf-8")
        found = {words: path for path, words in (*spoken.sentences(), *template_words())}
        plain.write_text(HEADER + "".join(_entry(path, words) for words, path in found.items()), encoding="utf-8")
        return run("msgcat", "--use-first", "--add-location=file", "--width=100", marked, plain)


def _entry(path: Path, words: str) -> str:
    form = "#, python-brace-format\n" if "{" in words else ""
    one, _nul, many = (json.dumps(part, ensure_ascii=False) for part in words.partition("\0"))
    body = (
        f'msgid {one}\nmsgid_plural {many}\nmsgstr[0] ""\nmsgstr[1] ""' if "\0" in words else f'msgid {one}\nmsgstr ""'
    )
    return f"\n#: {path.relative_to(ROOT)}\n{form}{body}\n"


# --- what becomes of them ---


def merged(catalogue: Path) -> str:
    """The catalogue with the words of now: new ones without a translation, old ones gone."""
    with tempfile.TemporaryDirectory() as folder:
        pot, po = Path(folder) / "prosa.pot", Path(folder) / "prosa.po"
        pot.write_text(template(), encoding="utf-8")
        form = ("--no-fuzzy-matching", "--quiet", "--width=100", "--add-location=file")
        po.write_text(run("msgmerge", *form, catalogue, pot), encoding="utf-8")
        lines = run("msgattrib", "--no-obsolete", "--width=100", po).splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith(DATED))


def compiled(catalogue: Path) -> bytes:
    """The .mo, where every placeholder of a sentence is one of its translation, too."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "prosa.mo"
        run("msgfmt", "--check", "--output-file", target, catalogue)
        return target.read_bytes()


def untranslated(catalogue: Path) -> list[str]:
    """Words of the sources that the catalogue does not have, or not for sure."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "prosa.po"
        whole.write_text(merged(catalogue), encoding="utf-8")
        open_ones = run("msgattrib", "--untranslated", "--no-wrap", "--no-location", whole)
        open_ones += run("msgattrib", "--only-fuzzy", "--no-wrap", "--no-location", whole)
    return [line for line in open_ones.splitlines() if line.startswith("msgid ") and line != 'msgid ""']


def faults(catalogue: Path) -> list[str]:
    """What is wrong with a catalogue, and with the file made of it."""
    found = [f"{catalogue.parts[-3]}: no translation of {words}" for words in untranslated(catalogue)]
    if compiled(catalogue) != catalogue.with_suffix(".mo").read_bytes():
        found.append(f"{catalogue.parts[-3]}: prosa.mo is not made of this prosa.po")
    return found


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Keep the catalogues of the suite's words.")
    parser.add_argument("--check", action="store_true", help="change nothing, and say what is wrong")
    parser.add_argument("--pot", action="store_true", help="print the template for a new language")
    options = parser.parse_args(words)
    if options.pot:
        print(template())
        return 0
    wrong: list[str] = []
    for catalogue in sorted(CATALOGUES.glob("*/LC_MESSAGES/prosa.po")):
        if not options.check:
            catalogue.write_text(merged(catalogue), encoding="utf-8")
            catalogue.with_suffix(".mo").write_bytes(compiled(catalogue))
        wrong += faults(catalogue)
    print("\n".join([*wrong, f"{len(wrong)} to mend" if wrong else "every word has its translation"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
