# SPDX-License-Identifier: MIT
"""What runs inside the stage's own containers; nothing here runs on the lecturer's machine."""
