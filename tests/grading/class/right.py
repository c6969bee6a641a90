# SPDX-License-Identifier: MIT
"""Keeps the rules."""

import mini_server

mini_server.main()
