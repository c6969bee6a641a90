# SPDX-License-Identifier: MIT
"""The conformance suite of PROSA/1, with a codec and cryptography of its own."""

__version__ = "0.1.0"
