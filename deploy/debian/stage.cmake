# SPDX-License-Identifier: MIT
# What Debian wants in each package, laid beside what is installed; CPack runs this before it packs.
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
    string(TOUPPER ${component} upper)
    set(root ${CPACK_TEMPORARY_DIRECTORY}/${component})
    set(doc ${root}/usr/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
    file(COPY ${CMAKE_CURRENT_LIST_DIR}/../../LICENSE ${CMAKE_CURRENT_LIST_DIR}/changelog DESTINATION ${doc})
    file(RENAME ${doc}/LICENSE ${doc}/copyright)
    file(GLOB_RECURSE pages ${root}/usr/share/man/*.[18])
    execute_process(COMMAND gzip -9 -n -f ${doc}/changelog ${pages} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
