# SPDX-License-Identifier: MIT
"""How fast, small and steady the reference is, beside floors and peers in the same run. docs/performance.md tells
how to read what it prints."""
