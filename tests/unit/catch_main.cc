// Catch's own main stands alone: it takes longer to compile than all tests of a folder.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
