# SPDX-License-Identifier: MIT
"""Takes all memory. It is run in a container, or not at all."""

eaten = []
while True:
    eaten.append(b"x" * 2**24)
