# Every library comes from Debian; tools/setup installs them. README.md says what each is for.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)

# moongate_dependency(name PKG module | FILES library... ) makes the target dep::name.
function(moongate_dependency name)
  cmake_parse_arguments(ARG "" "PKG" "LIBS;INCLUDES" ${ARGN})
  add_library(dep_${name} INTERFACE)
  add_library(dep::${name} ALIAS dep_${name})
  if(ARG_PKG)
    pkg_check_modules(PC_${name} REQUIRED IMPORTED_TARGET ${ARG_PKG})
    target_link_libraries(dep_${name} INTERFACE PkgConfig::PC_${name})
  endif()
  foreach(lib ${ARG_LIBS})
    find_library(LIB_${lib} ${lib} REQUIRED)
    target_link_libraries(dep_${name} INTERFACE ${LIB_${lib}})
  endforeach()
  if(ARG_INCLUDES)
    target_include_directories(dep_${name} SYSTEM INTERFACE ${ARG_INCLUDES})
  endif()
endfunction()

moongate_dependency(uv       PKG libuv)
moongate_dependency(cares    PKG libcares)
moongate_dependency(luajit   PKG luajit)
moongate_dependency(simdjson PKG simdjson)
moongate_dependency(isal     PKG libisal)
moongate_dependency(lmdb     LIBS lmdb)
find_path(MBEDTLS_HEADERS mbedtls/ssl.h REQUIRED)  # CMAKE_PREFIX_PATH names another one: 3.6
moongate_dependency(mbedtls  LIBS mbedtls mbedx509 mbedcrypto INCLUDES ${MBEDTLS_HEADERS})
moongate_dependency(sodium   PKG libsodium)
moongate_dependency(expected)
moongate_dependency(json)
moongate_dependency(cli11)
moongate_dependency(fmt)
target_link_libraries(dep_fmt INTERFACE fmt::fmt)

# Debian ships llhttp as C sources only (package node-llhttp).
find_path(LLHTTP_SOURCES llhttp.c HINTS /usr/share/llhttp REQUIRED)
add_library(llhttp STATIC
  ${LLHTTP_SOURCES}/llhttp.c ${LLHTTP_SOURCES}/api.c ${LLHTTP_SOURCES}/http.c)
target_include_directories(llhttp SYSTEM PUBLIC /usr/share/include /usr/share/include/llhttp)
# The strict grammar: CRLF where CRLF belongs, tokens without blanks.
target_compile_definitions(llhttp PRIVATE LLHTTP_STRICT_MODE=1)
target_compile_options(llhttp PRIVATE -w)
add_library(dep::llhttp ALIAS llhttp)
