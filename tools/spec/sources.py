# SPDX-License-Identifier: MIT
"""Reads YAML without two traps: a key that stands twice, and a key (`on`) that reads as a boolean."""

from pathlib import Path
from typing import Any

import yaml

from spec.errors import SpecError


class _Loader(yaml.SafeLoader):
    """Looks at the keys before merges (`<<`) are resolved: overriding a merged key is fine."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            where = f"line {key.start_mark.line + 1}, {key.value}"
            if key.tag == "tag:yaml.org,2002:bool":
                raise SpecError(self.name, where, "the key reads as a boolean", "quote it")
            if key.value in seen:
                raise SpecError(self.name, where, "the key stands twice", "keep one")
            seen.add(key.value)
        return node


def load_yaml(path: Path) -> Any:
    """The content of a YAML file; SpecError when it is missing or no YAML."""
    try:
        with path.open(encoding="utf-8") as stream:
            return yaml.load(stream, _Loader)
    except OSError as error:
        raise SpecError(str(path), "file", str(error.strerror), "restore the file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else "file"
        raise SpecError(str(path), line, "is no YAML", str(getattr(error, "problem", error))) from error
