# SPDX-License-Identifier: MIT
"""Demos for a lecture hall: real programs in containers, told in plain sentences, judged at the end."""
