# SPDX-License-Identifier: MIT
"""Which file is generated from what."""

from pathlib import Path

from spec import emit_c, emit_lua, emit_python, model


def outputs(root: Path) -> dict[Path, str]:
    """Each generated file with the text that it has to have."""
    registry = model.load(root / "spec/registry.yaml")
    return {
        root / "libprosa/include/prosa/registry.h": emit_c.header(registry),
        root / "libprosa/src/registry.c": emit_c.tables(registry),
        root / "conformance/prosa_conformance/registry.py": emit_python.text(registry),
        root / "spec/wireshark/registry.lua": emit_lua.text(registry),
    }
