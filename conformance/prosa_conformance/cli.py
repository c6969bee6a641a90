# SPDX-License-Identifier: MIT
"""The command line: words to options, options to a run, a run to one of five exit codes."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shlex
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from prosa_conformance import tester
from prosa_conformance.bounds import missing_limits
from prosa_conformance.case import Settings
from prosa_conformance.clauses import ZMQ, all_clauses
from prosa_conformance.contract import (
    ANSWERS,
    FEATURES,
    FEATURES_FROM,
    IMAGE_FLAGS,
    LEVELS,
    ROLES,
    Implementation,
    check_command,
    check_kind,
    image_names,
    load,
    parse_address,
    parse_features,
)
from prosa_conformance.language import LANGUAGES, N_, _, choose, ngettext
from prosa_conformance.outcome import Exit, UsageError
from prosa_conformance.places import Ports, discard
from prosa_conformance.plugin import Selection
from prosa_conformance.process import Ended, end_all
from prosa_conformance.run import Run
from prosa_conformance.terminal import Terminal
from prosa_conformance.transport import ROLES_OF, TRANSPORTS, check_installed

COMMANDS = {"server": "cmd", "client": "client_cmd", "codec": "codec_cmd", "relay": "bridge_cmd"}
EPILOG = N_("""exit codes: 0 conforms; 1 violates the protocol; 2 wrong words, or no test selected;
3 the implementation did not start; 4 the suite itself broke""")


# What argparse itself says, and looks up as we do.
ARGPARSE = (
    N_("usage: "), N_("options"), N_("show this help message and exit"), N_("argument %(argument_name)s: %(message)s"),
    N_("expected one argument"), N_("unrecognized arguments: %s"), N_("invalid %(type)s value: %(value)r"),
    N_("invalid choice: %(value)r (choose from %(choices)s)"), N_("ignored explicit argument %r"),
    N_("ambiguous option: %(option)s could match %(matches)s"),
)  # fmt: skip


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(message)


def choose_language(argv: Sequence[str]) -> None:
    """The one option that is read before all others: they are explained in it."""
    vars(argparse).update(_=_, ngettext=ngettext)  # argparse's own words, too
    first = Parser(add_help=False, allow_abbrev=False)
    first.add_argument("--lang", choices=LANGUAGES, default="")
    choose()
    choose(first.parse_known_args(argv)[0].lang)


def parser() -> Parser:
    words = Parser(
        prog="prosa_conformance",
        description=_("Check an implementation of PROSA/1 against the text."),
        epilog=_(EPILOG),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subject = words.add_argument_group(_("what is checked"))
    subject.add_argument("--sut", metavar="PROSA.TOML", type=Path, help=_("a description, or its folder"))
    subject.add_argument("--cmd", metavar="COMMAND", help=_("a server's command"))
    subject.add_argument("--client-cmd", metavar="COMMAND", help=_("a client's command"))
    subject.add_argument("--codec-cmd", metavar="COMMAND", help=_("a codec's command"))
    subject.add_argument("--bridge-cmd", metavar="COMMAND", help=_("the command of a bridge (with --transport zmq)"))
    subject.add_argument("--image", metavar="IMAGE", help=_("a server's image, run in isolation"))
    subject.add_argument("--client-image", metavar="IMAGE", help=_("a client's image"))
    subject.add_argument("--codec-image", metavar="IMAGE", help=_("a codec's image"))
    subject.add_argument("--connect", metavar="HOST:PORT", help=_("a server, or a bridge, that runs already"))
    subject.add_argument(
        "--transport",
        choices=TRANSPORTS,
        default="tcp",
        help=_("zmq: the server's tests through its bridge, and the bridge's own (default tcp)"),
    )
    subject.add_argument("--answers", choices=ANSWERS, help=_("who answers questions (default operator)"))
    subject.add_argument(
        "--features", metavar="LIST", help=_("what it has: {features}").format(features=",".join(FEATURES))
    )
    tests = words.add_argument_group(_("which tests"))
    tests.add_argument("--level", choices=LEVELS, help=_("up to this level (default: the highest declared, or L1)"))
    tests.add_argument("--role", choices=(*ROLES, "all"), default="all", help=_("only the tests of this role"))
    tests.add_argument("-k", metavar="EXPR", default="", help=_("tests whose names fit, as in pytest"))
    tests.add_argument("--only", metavar="CLAUSE", default="", help=_("tests of these clauses: 'FLOW-*,ERR-01'"))
    tests.add_argument("--test", metavar="NAME", default="", help=_("the one test of this name"))
    tests.add_argument("--list", action="store_true", help=_("list the tests and run none"))
    tests.add_argument("--explain", metavar="CLAUSE", help=_("print a clause and its tests, and run none"))
    how = words.add_argument_group(_("how"))
    how.add_argument("--jobs", type=int, metavar="N", help=_("how many processes run tests (default: at most 4)"))
    how.add_argument("--stop-first", action="store_true", help=_("the first failure that counts ends the run"))
    how.add_argument("--seed", type=int, help=_("of everything random (default: a new one, printed)"))
    how.add_argument(
        "--time-scale",
        type=float,
        default=os.environ.get("PROSA_TIME_SCALE", "1"),
        metavar="X",
        help=_("multiplies every wait and timer (default: PROSA_TIME_SCALE, or 1)"),
    )
    how.add_argument("--lang", choices=LANGUAGES, help=_("the language of all words (default: the locale's)"))
    how.add_argument("--strict", action="store_true", help=_("non-strict results and known failures count as failures"))
    files = _("for report.html, junit.xml, result.json and captures")
    how.add_argument("--report", type=Path, default=Path("report"), metavar="DIR", help=files)
    return words


def implementation(options: argparse.Namespace) -> Implementation:
    """The subject that the words name."""
    given = {role: getattr(options, name) for role, name in COMMANDS.items() if getattr(options, name) is not None}
    images = {role: image for role, flag in IMAGE_FLAGS.items() if (image := _given(options, flag)) is not None}
    bridge = given.get("relay")
    if options.sut is not None:
        if set(given) - {"relay"} or images or options.connect or options.answers or options.features:
            raise UsageError(_("--sut says it all: it goes with no --cmd, --image, --connect, --answers or --features"))
        return replace_bridge(load(options.sut / "prosa.toml" if options.sut.is_dir() else options.sut), bridge)
    check_kind(given, images)
    if options.connect and images:
        raise UsageError(_("a program in an image has no network: --connect goes with none"))
    if options.connect and bridge is not None:
        raise UsageError(_("with --connect a bridge runs already: it goes with no --bridge-cmd"))
    if options.connect and "server" in given:
        raise UsageError(_("a server is either started (--cmd) or there already (--connect)"))
    if not set(given) - {"relay"} and not images and not options.connect:
        if Path("prosa.toml").exists():
            return replace_bridge(load(Path("prosa.toml")), bridge)
        raise UsageError(_("nothing to check: give --sut, --cmd, --client-cmd, --codec-cmd, --image or --connect"))
    first = next(iter([*given.values(), *images.values()]), options.connect)
    return Implementation(
        name=first,
        directory=Path.cwd(),
        commands={role: check_command(command, role) for role, command in given.items()},
        images={role: check_command(image, role) for role, image in images.items()},
        features=parse_features(options.features or ""),
        answers=options.answers or "operator",
        connect=parse_address(options.connect) if options.connect else None,
    )


def replace_bridge(subject: Implementation, command: str | None) -> Implementation:
    """The same with another bridge before it."""
    if command is None:
        return subject
    commands = {**subject.commands, "relay": check_command(command, "bridge")}
    return replace(subject, commands=commands, has_other_bridge=True)


def check_transport(options: argparse.Namespace, subject: Implementation) -> None:
    """UsageError where there is not what the transport takes."""
    check_installed(options.transport)
    if options.transport == "tcp":
        if options.bridge_cmd is not None:
            raise UsageError(_("a bridge is for ZeroMQ: --bridge-cmd goes with --transport zmq"))
        return
    if not subject.has("server"):
        raise UsageError(_("--transport zmq tests a server through a bridge, and there is no server"))
    if not subject.has("relay"):
        words = _("--transport zmq needs a bridge: `bridge` in prosa.toml, --bridge-cmd, or one that runs (--connect)")
        raise UsageError(words)


def _given(options: argparse.Namespace, flag: str) -> str | None:
    return getattr(options, flag.removeprefix("--").replace("-", "_"))


def selection(options: argparse.Namespace, subject: Implementation, level: str) -> Selection:
    check_transport(options, subject)
    there = tuple(role for role in ROLES_OF[options.transport] if subject.has(role))
    if options.role not in ("all", *there):
        words = _("--role {role}, but there is no {role} to check over {transport}")
        raise UsageError(words.format(role=options.role, transport=options.transport))
    roles = there if options.role == "all" else (options.role,)
    return Selection(
        levels=(*LEVELS[: LEVELS.index(level) + 1], ZMQ),
        features=subject.features if level >= FEATURES_FROM else (),
        roles=roles,
        only=options.only,
        test=options.test,
        keyword=options.k,
        whole=not (options.only or options.test or options.k) and options.role == "all",
    )


def all_of(identity: str) -> Selection:
    """Every test of a clause, whatever program it is for."""
    if identity not in all_clauses():
        near = ", ".join(get_close_matches(identity.upper(), all_clauses(), 5))
        words = (
            _("the text has no clause {clause}; near it are {near}") if near else _("the text has no clause {clause}")
        )
        raise UsageError(words.format(clause=identity, near=near))
    return Selection((*LEVELS, ZMQ), FEATURES, ROLES, only=identity, whole=False)


def build(subject: Implementation) -> str:
    """Run the build command of prosa.toml; the end of its output when it fails."""
    if not subject.build:
        return ""
    try:
        done = subprocess.run(
            shlex.split(subject.build),
            cwd=subject.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        return f"{subject.build}: {error.strerror}"
    return "" if done.returncode == 0 else f"{subject.build}: {Ended(done.returncode)}\n{done.stdout[-2000:]}"


def default_jobs() -> int:
    """Most of a test's time is waiting; but it must not wait for the other tests."""
    return min(4, 2 * (os.cpu_count() or 1))


def main(argv: Sequence[str]) -> int:
    """One of the exit codes of outcome.Exit, whatever happens."""
    terminal = Terminal(sys.stdout)
    try:
        return _main(argv, terminal)
    except KeyboardInterrupt:
        terminal.problem(_("interrupted"))
    except Exception:
        terminal.harness_errors([traceback.format_exc()])
    finally:
        end_all()
    return Exit.HARNESS


def _main(argv: Sequence[str], terminal: Terminal) -> int:
    try:
        choose_language(argv)
        options = parser().parse_args(argv)
        if not 0 < options.time_scale < float("inf"):
            raise UsageError(_("--time-scale is above 0"))
        if options.jobs is not None and options.jobs < 1:
            raise UsageError(_("--jobs is above 0"))
        subject = implementation(options) if not options.explain else Implementation("", Path.cwd(), {})
        level = options.level or max(subject.levels, default="L1")
        chosen = selection(options, subject, level) if not options.explain else all_of(options.explain)
    except UsageError as error:
        terminal.problem("{}\n{}".format(error, _("(--help tells the words)")))
        return Exit.USAGE
    if options.explain or options.list:
        return _tell(_run(options, subject, chosen, level, Path(), terminal), options)
    if not (options.test or tester.is_here()) and (trouble := build(subject)):
        terminal.problem("{}\n{}".format(_("The implementation could not be built."), trouble))
        return Exit.NOT_STARTED
    try:
        if not subject.images:
            with scratch() as folder:
                return _run(options, subject, chosen, level, folder, terminal).execute()
        if not tester.is_here():
            return tester.start(argv, subject, options.report)
        return _execute_here(_run(options, subject, chosen, level, tester.FOLDERS, terminal))
    except UsageError as error:
        terminal.problem(str(error))
        return Exit.USAGE


def _run(
    options: argparse.Namespace,
    subject: Implementation,
    chosen: Selection,
    level: str,
    folder: Path,
    terminal: Terminal,
) -> Run:
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    settings = Settings(subject, folder, level, seed, options.time_scale, options.transport)
    settings.ports = Ports(secrets.randbelow(1 << 16))
    jobs = 1 if options.test or subject.connect else options.jobs or default_jobs()
    return Run(settings, chosen, options.strict, options.report, terminal, jobs, options.stop_first)


def _tell(run: Run, options: argparse.Namespace) -> int:
    return run.explain_clause(options.explain) if options.explain else run.list_tests()


def _execute_here(run: Run) -> int:
    """In the tester's container, with an engine that makes a container for each program."""
    from prosa_conformance import engine  # only here: whoever tests commands may lack Python's `docker`

    with engine.opened(image_names(run.settings.subject.images)) as run.settings.engine:
        for words in missing_limits(run.settings.engine.api.info()):
            run.terminal.problem(words)
        code = run.execute()
    tester.hand_over(run.report)
    return code


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for all that programs keep, which ends with the run."""
    folder = Path(tempfile.mkdtemp(prefix="prosa-conformance-"))
    try:
        yield folder
    finally:
        discard(folder)
