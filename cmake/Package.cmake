# SPDX-License-Identifier: MIT
# Packages of Debian's: `./run package` makes prosa (server, client, tools, units) and prosa-bridge, which
# alone wants ZeroMQ. The library is for those who build from source.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "The Prosa authors")
set(CPACK_PACKAGE_CONTACT "The Prosa authors <prosa@prosa.example>")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR})
set(CPACK_COMPONENTS_ALL prosa bridge)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/deploy/debian/stage.cmake)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_PROSA_PACKAGE_NAME prosa)
set(CPACK_DEBIAN_PROSA_DESCRIPTION
"signed chat over TCP: server and client of PROSA/1
The reference server and client of the protocol PROSA/1, what checks a stored
log, units of systemd, and what keeps the name of a host on its address.")
# Only for a host whose address changes.
set(CPACK_DEBIAN_PROSA_PACKAGE_RECOMMENDS "bind9-dnsutils, curl, iproute2")
set(CPACK_DEBIAN_PROSA_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles
    ${PROJECT_SOURCE_DIR}/deploy/debian/postinst
    ${PROJECT_SOURCE_DIR}/deploy/debian/prerm)

set(CPACK_DEBIAN_BRIDGE_PACKAGE_NAME prosa-bridge)
set(CPACK_DEBIAN_BRIDGE_DESCRIPTION
"signed chat over TCP: bridge to ZeroMQ
Lets ZeroMQ clients talk to a server of PROSA/1, and feeds subscribers.")
include(CPack)
