# SPDX-License-Identifier: MIT
"""The installed library is enough for a stranger's program, in the three ways in which people
find a library: pkg-config, pkg-config --static, and a CMake package.

The build names itself in PROSA_BUILD, its compiler in PROSA_CC and PROSA_CFLAGS, and its cmake in
PROSA_CMAKE.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

CONSUMER = Path(__file__).resolve().parent / "consumer"
DEADLINE = 60 * float(os.environ.get("PROSA_TIME_SCALE", "1"))


def run(*words: str | Path, **environment: str) -> str:
    """The standard output of a command, which has to succeed."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True, text=True, timeout=DEADLINE, env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"{shlex.join(done.args)}\n{done.stdout}{done.stderr}"
    return done.stdout


def install(prefix: Path) -> Path:
    run(os.environ["PROSA_CMAKE"], "--install", os.environ["PROSA_BUILD"], "--prefix", prefix,
        "--component", "libprosa")
    return prefix


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed"))


def library_folder(prefix: Path) -> Path:
    return next(prefix.rglob("libprosa.a")).parent


def compile_with_pkg_config(prefix: Path, program: Path, *options: str) -> Path:
    search = str(library_folder(prefix) / "pkgconfig")
    flags = run("pkg-config", *options, "--cflags", "--libs", "prosa", PKG_CONFIG_PATH=search)
    run(os.environ["PROSA_CC"], "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror",
        *os.environ["PROSA_CFLAGS"].split(), CONSUMER / "main.c", "-o", program, *shlex.split(flags))
    return program


def needed_libraries(program: Path) -> str:
    return run("readelf", "-d", program)


def test_pkg_config_gives_the_shared_library(prefix: Path, tmp_path: Path) -> None:
    program = compile_with_pkg_config(prefix, tmp_path / "program")
    assert "[libprosa.so.0]" in needed_libraries(program)
    assert run(program, LD_LIBRARY_PATH=str(library_folder(prefix))) == "PING\n"


def test_pkg_config_static_gives_all_that_the_static_one_needs(tmp_path: Path) -> None:
    prefix = install(tmp_path / "static only")
    for shared in prefix.rglob("libprosa.so*"):
        shared.unlink()
    program = compile_with_pkg_config(prefix, tmp_path / "program", "--static")
    assert "libprosa" not in needed_libraries(program)
    assert run(program) == "PING\n"


def test_cmake_package_gives_both(prefix: Path, tmp_path: Path) -> None:
    cmake = os.environ["PROSA_CMAKE"]
    run(cmake, "-S", CONSUMER, "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_C_COMPILER={os.environ['PROSA_CC']}", f"-DCMAKE_C_FLAGS={os.environ['PROSA_CFLAGS']}")
    run(cmake, "--build", tmp_path)
    assert "[libprosa.so.0]" in needed_libraries(tmp_path / "with_prosa")
    assert "libprosa" not in needed_libraries(tmp_path / "with_static")
    for program in ("with_prosa", "with_static"):
        assert run(tmp_path / program) == "PING\n"


def test_shared_library_exports_only_what_the_headers_declare(prefix: Path) -> None:
    headers = "".join(path.read_text(encoding="utf-8") for path in prefix.rglob("include/prosa/*.h"))
    symbols = run("nm", "-D", "--defined-only", "--format=just-symbols", next(prefix.rglob("libprosa.so"))).split()
    ours = [symbol for symbol in symbols if not symbol.startswith("_")]
    assert "prosa_frame_parse" in ours
    assert "prosa_registry_frames" in ours
    hidden = [symbol for symbol in ours if symbol not in headers]
    assert not hidden, f"exported, yet in no header: {hidden}"
