# SPDX-License-Identifier: MIT
# The warnings of the house. Every target asks for them:
#     target_link_libraries(NAME PRIVATE prosa_warnings)
# A target that is installed and exported asks for $<BUILD_INTERFACE:prosa_warnings>,
# so that the flags stay at home.
add_library(prosa_warnings INTERFACE)
target_compile_options(prosa_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion)

# gcc 12 takes for lost what a tree of tsearch() holds, or a member of a struct that the caller has. What really is
# lost LeakSanitizer finds, in every test of the preset asan.
option(PROSA_ANALYZE "have gcc follow the paths through each file" OFF)
if(PROSA_ANALYZE)
    target_compile_options(prosa_warnings INTERFACE -fanalyzer -Wno-analyzer-malloc-leak)
endif()
