# SPDX-License-Identifier: MIT
"""Two languages: every word of the suite has its translation, and the one that is asked for is spoken."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import CONFORMANCE, HERE, Conform, faulty, python
from prosa_conformance import language, spoken

CATALOGUE = HERE.parents[1] / "tools" / "catalogue.py"
PACKAGES = ("prosa_conformance", "prosa_grading")
FILES = sorted(path for package in PACKAGES for path in (CONFORMANCE / package).rglob("*.py"))
LOOKS_UP = {"_", "N_", "ngettext", "pgettext"}
ONE = ("-k", "tampered_auth")


def test_catalogues_are_whole() -> None:
    """Nothing lacks its translation, placeholders agree, and each .mo is made of its .po."""
    done = subprocess.run([sys.executable, CATALOGUE, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- the sources ---


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def is_lookup(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in LOOKS_UP


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_looked_up_can_be_found(path: Path) -> None:
    """gettext's extraction sees plain literals alone, and none inside of an f-string."""
    tree = ast.parse(path.read_text())
    hidden = [part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)]
    lookups = [node for node in hidden if is_lookup(node) and isinstance(node.args[0], ast.Constant)]
    lookups += [node for node in ast.walk(tree) if is_lookup(node) and isinstance(node.args[0], ast.JoinedStr)]
    assert not lookups, f"{path.name}: words that are not found, in lines {[node.lineno for node in lookups]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_lookup_is_not_hidden(path: Path) -> None:
    """A function that assigns to `_` cannot look words up."""
    for function in functions(path):
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == "_"]
        own = [part for node in ast.walk(function) if isinstance(node, ast.comprehension) for part in ast.walk(node)]
        stored = [node for node in names if isinstance(node.ctx, ast.Store) and node not in own]
        called = [node for node in ast.walk(function) if is_lookup(node) and node.func.id == "_"]
        assert not (stored and called), f"{path.name}: {function.name} assigns to _ and calls it"


# --- which language ---


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "pt_BR.UTF-8"}, "pt_BR"),
        ({"LANG": "pt_PT"}, "pt_BR"),
        ({"LANG": "pt_BR.UTF-8", "LC_MESSAGES": "en_GB"}, "en"),
        ({"LANG": "en_US", "LC_MESSAGES": "de_DE", "LC_ALL": "pt_BR"}, "pt_BR"),
        ({"LANG": "pt_BR", "LC_ALL": ""}, "pt_BR"),
    ],
)
def test_language_of_the_environment(environment: dict[str, str], wanted: str) -> None:
    assert language.wanted(environment) == wanted, environment


def test_environment_decides_and_the_option_more(conform: Conform) -> None:
    portuguese = {"LC_ALL": "pt_BR.UTF-8"}
    command = ("--cmd", faulty("ClosesWithoutAWord"), *ONE)
    outcome = conform(*command, env=portuguese)
    assert "O que aconteceu:" in outcome.text, outcome.text
    assert "--lang" not in outcome.text, "who runs it again here gets the same language"
    outcome = conform(*command, "--lang", "en", env=portuguese)
    assert "What happened:" in outcome.text and "--lang en" in outcome.text, outcome.text


def test_results_for_machines_are_the_same(conform: Conform) -> None:
    command = ("--cmd", faulty("ClosesWithoutAWord"), *ONE, "--seed", "7")
    english, result = conform(*command, "--lang", "en").result, conform(*command, "--lang", "pt_BR").result
    for name in ("schema", "level", "verdicts", "clauses", "exit"):
        assert result[name] == english[name], name
    test = result["tests"][0]
    assert test["verdict"] == "fail", test["verdict"]
    assert test["failure"]["hint"].startswith("A recusa veio sem palavras"), test["failure"]["hint"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--nonsense",), "opções desconhecidas: --nonsense"),
        (("--time-scale", "0", "--cmd", "true"), "--time-scale precisa ser maior que 0"),
        (("--cmd", "true", "-k", "no_such_test"), "nenhum teste selecionado"),
        (("--lang", "xx"), "valor inválido: 'xx'"),
    ],
)
def test_usage_errors(conform: Conform, words: tuple[str, ...], said: str) -> None:
    outcome = conform(*words, env={"LC_ALL": "pt_BR"})
    assert outcome.code == 2, outcome.text
    assert said in outcome.text, outcome.text


def test_help(conform: Conform) -> None:
    text = conform("--help", env={"LC_ALL": "pt_BR"}).text
    assert "uso: " in text and "opções:" in text and "códigos de saída:" in text, text
    assert "the " not in text, text


def test_summary_of_good_programs(conform: Conform) -> None:
    outcome = conform("--cmd", python("mini_server.py"), *ONE, "--lang", "pt_BR")
    assert outcome.code == 0 and "CONFORME a L1 em tudo o que foi testado." in outcome.text, outcome.text


# --- sentences of the clause tests ---


@pytest.fixture
def portuguese() -> Iterator[None]:
    language.choose("pt_BR")
    yield
    language.choose("en")


@pytest.mark.usefixtures("portuguese")
def test_sentence_with_values_is_known_again() -> None:
    assert spoken.translated("max_frame is 7") == "max_frame é 7", "a value"
    words = spoken.translated("a JOIN with after_seq=3 begins at 4, not at 5 (1 to 9)")
    assert words == "um JOIN com after_seq=3 começa em 4, não em 5 (1 to 9)", "several values"
    assert spoken.translated("the client reset the connection after its BYE").startswith("o cliente derrubou"), "plain"
    assert spoken.translated("nobody has ever said this") == "nobody has ever said this", "unknown"
    assert spoken.translated("") == "", "nothing"


def test_every_sentence_finds_its_own_pattern() -> None:
    """What a test says is translated as that, and not as another sentence that is like it."""
    for _path, key in spoken.sentences():
        if spoken.VALUE.search(key):
            said = spoken.VALUE.sub("ANYTHING", key).replace("{{", "{").replace("}}", "}")
            first = next(known for known, pattern in spoken._patterns() if pattern.fullmatch(said))
            assert first == key, f"{key!r} is taken for {first!r}"
