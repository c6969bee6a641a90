# SPDX-License-Identifier: MIT
"""The tests of the clauses, a file for each area of the text."""
