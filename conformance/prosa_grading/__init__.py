# SPDX-License-Identifier: MIT
"""Grades a class: every submission built, run through the conformance suite in isolation, and given points."""
