# SPDX-License-Identifier: MIT
"""What the specification says, as Python data: the registry, the states and the chapters.

The two commands beside this package use it: `registry.py` generates, `speclint.py` checks.
"""
