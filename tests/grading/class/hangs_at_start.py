# SPDX-License-Identifier: MIT
"""Never says READY."""

import signal

signal.pause()
