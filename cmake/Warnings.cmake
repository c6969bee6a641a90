# SPDX-License-Identifier: MIT
# The warnings of the house. Every target asks for them:
#     target_link_libraries(NAME PRIVATE prosa_warnings)
# A target that is installed and exported asks for $<BUILD_INTERFACE:prosa_warnings>,
# so that the flags stay at home.
add_library(prosa_warnings INTERFACE)
target_compile_options(prosa_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion)
