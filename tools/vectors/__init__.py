# SPDX-License-Identifier: MIT
"""The makers of spec/vectors: one module a file, each giving the same octets every time."""
