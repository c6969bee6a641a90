# SPDX-License-Identifier: MIT
"""Which file is generated from what."""

from pathlib import Path

from spec import emit_c, model


def outputs(root: Path) -> dict[Path, str]:
    """Each generated file with the text that it has to have."""
    registry = model.load(root / "spec/registry.yaml")
    return {
        root / "libprosa/include/prosa/registry.h": emit_c.header(registry),
        root / "libprosa/src/registry.c": emit_c.tables(registry),
    }
