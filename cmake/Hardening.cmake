# SPDX-License-Identifier: MIT
# Flags that every object of one build shares: either a sanitizer or the hardening of a release,
# for FORTIFY hides from AddressSanitizer what it replaces. tests/hardening looks at what comes out.
set(PROSA_SANITIZE "" CACHE STRING "what -fsanitize= gets, e.g. address,undefined or thread")

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
include(CheckCCompilerFlag)

if(PROSA_SANITIZE)
    add_compile_options(-fsanitize=${PROSA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${PROSA_SANITIZE})
else()
    add_compile_options(-fstack-protector-strong -fstack-clash-protection)
    # Of the processor's own means, those that this compiler knows for this machine.
    foreach(flag -fcf-protection=full -mbranch-protection=standard)
        string(MAKE_C_IDENTIFIER "PROSA_HAS${flag}" known)
        check_c_compiler_flag(${flag} ${known})
        add_compile_options($<$<BOOL:${${known}}>:${flag}>)
    endforeach()
    # FORTIFY needs an optimiser; without one the C library only warns.
    add_compile_options($<$<NOT:$<CONFIG:Debug,>>:-U_FORTIFY_SOURCE>)
    add_compile_options($<$<NOT:$<CONFIG:Debug,>>:-D_FORTIFY_SOURCE=3>)
    add_link_options(LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
endif()
