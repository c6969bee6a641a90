# SPDX-License-Identifier: MIT
"""Reads YAML without the two traps of PyYAML: a key that stands twice, and a key such as `on` that reads as a boolean."""

from pathlib import Path
from typing import Any

import yaml

from spec.errors import SpecError


class _Loader(yaml.SafeLoader):
    pass


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        mark = key_node.start_mark
        if key in result:
            raise SpecError(
                mark.name, f"line {mark.line + 1}, {key}", "the key stands twice", "keep one"
            )
        if isinstance(key, bool):
            raise SpecError(
                mark.name, f"line {mark.line + 1}", "a key reads as a boolean", "quote the key"
            )
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_yaml(path: Path) -> Any:
    """The content of a YAML file; SpecError when it is missing or no YAML."""
    try:
        with path.open(encoding="utf-8") as stream:
            return yaml.load(stream, _Loader)  # noqa: S506 -- derived from SafeLoader
    except OSError as error:
        raise SpecError(str(path), "file", str(error.strerror), "restore the file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else "file"
        raise SpecError(str(path), line, "is no YAML", str(getattr(error, "problem", error))) from error
