// X25519 by libsodium against mbedTLS's own arithmetic, which is not replaced.
#include <catch2/catch.hpp>

#include "tls/mbedtls.h"

#if MBEDTLS_VERSION_MAJOR < 3

#include <mbedtls/ecdh.h>

using namespace mg::tls;

namespace {

struct Number {
  Number() { mbedtls_mpi_init(&mpi); }
  ~Number() { mbedtls_mpi_free(&mpi); }
  bool operator==(const Number& other) const { return mbedtls_mpi_cmp_mpi(&mpi, &other.mpi) == 0; }
  mbedtls_mpi mpi;
};

struct Point {
  Point() { mbedtls_ecp_point_init(&point); }
  ~Point() { mbedtls_ecp_point_free(&point); }
  mbedtls_ecp_point point;
};

struct Group {
  explicit Group(mbedtls_ecp_group_id id) {
    make_ready();
    mbedtls_ecp_group_init(&group);
    REQUIRE(mbedtls_ecp_group_load(&group, id) == 0);
  }
  ~Group() { mbedtls_ecp_group_free(&group); }
  mbedtls_ecp_group group;
};

// The point times the secret, by the library.
Point times(Group& curve, const Number& secret, const mbedtls_ecp_point& point) {
  Point out;
  REQUIRE(mbedtls_ecp_mul(&curve.group, &out.point, &secret.mpi, &point, fill_random, nullptr) ==
          0);
  return out;
}

}  // namespace

TEST_CASE("keys and secrets of X25519 are those of the library's own arithmetic") {
  Group curve(MBEDTLS_ECP_DP_CURVE25519);
  for (int i = 0; i < 40; ++i) {
    Number ours, theirs, shared;
    Point shown_by_us, shown_by_them;
    REQUIRE(mbedtls_ecdh_gen_public(&curve.group, &ours.mpi, &shown_by_us.point, fill_random,
                                    nullptr) == 0);
    REQUIRE(mbedtls_ecdh_gen_public(&curve.group, &theirs.mpi, &shown_by_them.point, fill_random,
                                    nullptr) == 0);
    CHECK(mbedtls_ecp_check_privkey(&curve.group, &ours.mpi) == 0);
    CHECK(mbedtls_ecp_check_pubkey(&curve.group, &shown_by_us.point) == 0);
    CHECK_FALSE(ours == theirs);
    const Point again = times(curve, ours, curve.group.G);
    CHECK(mbedtls_mpi_cmp_mpi(&again.point.X, &shown_by_us.point.X) == 0);

    REQUIRE(mbedtls_ecdh_compute_shared(&curve.group, &shared.mpi, &shown_by_them.point, &ours.mpi,
                                        fill_random, nullptr) == 0);
    const Point product = times(curve, theirs, shown_by_us.point);
    CHECK(mbedtls_mpi_cmp_mpi(&product.point.X, &shared.mpi) == 0);
  }
}

TEST_CASE("a point that leaves no secret is refused") {
  Group curve(MBEDTLS_ECP_DP_CURVE25519);
  Number secret, shared;
  Point shown;
  REQUIRE(mbedtls_ecdh_gen_public(&curve.group, &secret.mpi, &shown.point, fill_random, nullptr) ==
          0);
  for (const int x : {0, 1}) {
    CAPTURE(x);
    REQUIRE(mbedtls_mpi_lset(&shown.point.X, x) == 0);
    CHECK(mbedtls_ecdh_compute_shared(&curve.group, &shared.mpi, &shown.point, &secret.mpi,
                                      fill_random, nullptr) == MBEDTLS_ERR_ECP_INVALID_KEY);
  }
  Number large;
  REQUIRE(mbedtls_mpi_lset(&large.mpi, 1) == 0);
  REQUIRE(mbedtls_mpi_shift_l(&large.mpi, 256) == 0);
  CHECK(mbedtls_ecdh_compute_shared(&curve.group, &shared.mpi, &shown.point, &large.mpi,
                                    fill_random, nullptr) == MBEDTLS_ERR_MPI_BUFFER_TOO_SMALL);
}

TEST_CASE("want of randomness is told, and other curves are the library's") {
  Group curve(MBEDTLS_ECP_DP_CURVE25519);
  Number secret;
  Point shown;
  const auto fails = [](void*, unsigned char*, size_t) { return -1; };
  CHECK(mbedtls_ecdh_gen_public(&curve.group, &secret.mpi, &shown.point, fails, nullptr) ==
        MBEDTLS_ERR_ECP_RANDOM_FAILED);

  Group p256(MBEDTLS_ECP_DP_SECP256R1);
  Number ours, theirs, one_way, other_way;
  Point shown_by_us, shown_by_them;
  REQUIRE(mbedtls_ecdh_gen_public(&p256.group, &ours.mpi, &shown_by_us.point, fill_random,
                                  nullptr) == 0);
  REQUIRE(mbedtls_ecdh_gen_public(&p256.group, &theirs.mpi, &shown_by_them.point, fill_random,
                                  nullptr) == 0);
  REQUIRE(mbedtls_ecdh_compute_shared(&p256.group, &one_way.mpi, &shown_by_them.point, &ours.mpi,
                                      fill_random, nullptr) == 0);
  REQUIRE(mbedtls_ecdh_compute_shared(&p256.group, &other_way.mpi, &shown_by_us.point, &theirs.mpi,
                                      fill_random, nullptr) == 0);
  CHECK(one_way == other_way);
}

#endif
