add_library(moongate_flags INTERFACE)
target_compile_options(moongate_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${MOONGATE_WERROR}>:-Werror>
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fcoroutines>
  # Names without linkage are used in one file each, also where several files are compiled as one.
  $<$<AND:$<BOOL:${MOONGATE_UNITY}>,$<COMPILE_LANG_AND_ID:CXX,GNU>>:-Wno-subobject-linkage>)

# moongate_library(NAME USES folder... LIBRARIES dependency...): the static library of src/NAME.
function(moongate_library name)
  cmake_parse_arguments(ARG "" "" "USES;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  list(FILTER sources EXCLUDE REGEX /main.cc$)
  add_library(moongate_${name} STATIC ${sources})
  target_include_directories(moongate_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(moongate_${name} PROPERTIES
    UNITY_BUILD ${MOONGATE_UNITY} UNITY_BUILD_BATCH_SIZE 12)
  target_link_libraries(moongate_${name} PRIVATE moongate_flags)
  foreach(folder ${ARG_USES})
    target_link_libraries(moongate_${name} PUBLIC moongate_${folder})
  endforeach()
  foreach(dependency ${ARG_LIBRARIES})
    target_link_libraries(moongate_${name} PUBLIC dep::${dependency})
  endforeach()
  if(name STREQUAL "base")
    target_link_libraries(moongate_base PUBLIC Threads::Threads)
  endif()
  moongate_precompile(moongate_${name})
endfunction()

# The standard headers that nearly every file reads, compiled once per library.
function(moongate_precompile target)
  target_precompile_headers(${target} PRIVATE
    <algorithm> <array> <functional> <memory> <optional> <string> <string_view> <unordered_map>
    <vector> <tl/expected.hpp>)
endfunction()
