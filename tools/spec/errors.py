# SPDX-License-Identifier: MIT
"""The one exception of the specification's tools."""


class SpecError(Exception):
    """A fault in a source of the specification: where it is, what it is, what to do."""

    def __init__(self, file: str, entry: str, what: str, todo: str) -> None:
        super().__init__(f"{file}: {entry}: {what}: {todo}")
        self.file = file
        self.entry = entry
        self.what = what
        self.todo = todo
