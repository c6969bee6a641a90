#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every client with every server: they converse over loopback, and a matrix says who could.

A pair runs at the highest level that both have. Where all have named rooms, the clients of everybody meet in one,
on each server. The bridge is a server like the others: before ours, and each client comes to it over ZeroMQ. The
codecs answer the vectors of the spec, and all that the suite asks at L0.

Exit: 0 everybody understands everybody, 1 not, 4 somebody cannot be built.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "conformance"))
os.environ["PYTHONPATH"] = str(ROOT / "conformance")

from parties import NotBuilt, Party, behind, everybody  # noqa: E402
from prosa_conformance.outcome import Unsupported, Violation  # noqa: E402
from scenes import Hole, client_ends_it, meet, server_ends_it  # noqa: E402

EXIT_GOOD, EXIT_HOLE, EXIT_BROKEN = 0, 1, 4
NAMED_ROOMS = "L3"


@dataclass(frozen=True)
class Cell:
    """Who meets whom, in which table, and what they play."""

    table: str
    row: str
    column: str
    level: str
    scenes: tuple[Callable[[], None], ...]

    def hole(self) -> str:
        """The first sentence of what goes wrong; empty when all goes well."""
        try:
            for play in self.scenes:
                play()
        except Hole as hole:
            return str(hole)
        except (Violation, Unsupported, json.JSONDecodeError) as error:
            return f"{type(error).__name__}: {error}"
        return ""


def cells(parties: Sequence[Party]) -> Iterator[Cell]:
    ours = parties[0]
    servers = [*parties, behind(ours, ours)]
    for server, client in product(servers, parties):
        level = min(server.level, client.level)
        scenes = tuple(partial(play, server, client, level) for play in (client_ends_it, server_ends_it))
        yield Cell("@host", f"server in {server.name}", f"client in {client.name}", level, scenes)
    with_rooms = [party for party in parties if party.level >= NAMED_ROOMS]
    level = min(party.level for party in with_rooms)
    for server in (server for server in servers if server.level >= NAMED_ROOMS):
        together = partial(meet, server, with_rooms, level)
        yield Cell("a room", f"server in {server.name}", f"clients in {names(with_rooms)}", level, (together,))
    for party in parties:
        yield Cell("vectors", f"codec in {party.name}", "all of L0", "L0", (partial(answers_vectors, party),))


def names(parties: Sequence[Party]) -> str:
    *most, last = (party.name for party in parties)
    return f"{', '.join(most)} and {last}" if most else last


def answers_vectors(party: Party) -> None:
    command = party.implementation.commands["codec"]
    with TemporaryDirectory(prefix="prosa-interop-") as folder:
        words = ["--codec-cmd", command, "--level", "L0", "--report", folder, "--jobs", "1"]
        done = subprocess.run(
            [sys.executable, "-m", "prosa_conformance", *words],
            cwd=party.implementation.directory,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise Hole(f"the suite ends with {done.returncode}: {done.stdout.strip().splitlines()[-1:] or done.stderr}")


# --- what is shown ---


Table = dict[str, dict[str, Cell]]  # by row, then by column


def tables(cells_of_all: Iterable[Cell]) -> dict[str, Table]:
    found: dict[str, Table] = {}
    for cell in cells_of_all:
        found.setdefault(cell.table, {}).setdefault(cell.row, {})[cell.column] = cell
    return found


def columns_of(table: Table) -> list[str]:
    return list(dict.fromkeys(column for line in table.values() for column in line))


def show(holes: dict[Cell, str]) -> None:
    for name, table in tables(holes).items():
        widths = {column: max(len(column), 9) + 2 for column in columns_of(table)}
        print(f"{name:32}" + "".join(f"{column:>{width}}" for column, width in widths.items()))
        for row, line in table.items():
            marks = {column: f"{cell.level} {'HOLE' if holes[cell] else 'ok'}" for column, cell in line.items()}
            print(f"{row:32}" + "".join(f"{marks.get(column, ''):>{width}}" for column, width in widths.items()))
        print()
    for cell, hole in holes.items():
        if hole:
            print(f"hole: {cell.row}, {cell.column}, at {cell.level}: {hole}")


def write(folder: Path, holes: dict[Cell, str]) -> None:
    """interop.json, and interop.html, which needs nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    told = [
        {"table": cell.table, "row": cell.row, "column": cell.column, "level": cell.level, "hole": hole}
        for cell, hole in holes.items()
    ]
    (folder / "interop.json").write_text(json.dumps({"schema": "prosa-interop/1", "cells": told}, indent=1) + "\n")
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = templates.get_template("page.html").render(tables=tables(holes), columns_of=columns_of, holes=holes)
    (folder / "interop.html").write_text(page, encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="interop", description="Every client with every server, as a matrix.")
    words.add_argument("--programs", type=Path, default=ROOT / "build" / "default" / "bin", help="ours, in C")
    words.add_argument("--only", metavar="NAME", help="what this one has a part in: c, go, python, ..., bridge")
    words.add_argument("--out", type=Path, default=ROOT / "report", metavar="DIR", help="for json and html")
    words.add_argument("-j", "--jobs", type=int, default=2 * (os.cpu_count() or 1), help="pairs at a time")
    return words


def main(argv: Sequence[str]) -> int:
    words = parser()
    options = words.parse_args(argv)
    try:
        parties = everybody(options.programs)
    except NotBuilt as problem:
        print(f"interop: {problem}", file=sys.stderr)
        return EXIT_BROKEN
    wanted = list(cells(parties))
    if options.only:
        wanted = [cell for cell in wanted if options.only in f"{cell.row} {cell.column}".replace(",", "").split()]
        if not wanted:
            words.error(f"--only: nobody is called {options.only!r}; there are {names(parties)}, and the bridge")
    with ThreadPoolExecutor(options.jobs) as pool:
        holes = dict(zip(wanted, pool.map(Cell.hole, wanted), strict=True))
    show(holes)
    write(options.out, holes)
    print(f"written: {options.out / 'interop.json'}, {options.out / 'interop.html'}")
    if any(holes.values()):
        return EXIT_HOLE
    print("everybody understands everybody")
    return EXIT_GOOD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
