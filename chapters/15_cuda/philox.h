// Philox4x32-10, a counter-based random number generator (Salmon, Moraes, Dror and Shaw: Parallel Random Numbers: As
// Easy as 1, 2, 3, 2011). A number is a function of (seed, stream, position), nothing is carried along: a thread that
// needs number 1000000 computes it without the ones before, and the CPU computes the same one.
#pragma once
#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define HOST_DEVICE __host__ __device__
#else
#define HOST_DEVICE
#endif

struct Words {
  std::uint32_t v[4];
};
struct Floats {
  float v[4];
};

// One round: two products of 32 by 32 bits, whose halves change places.
HOST_DEVICE inline Words philox_round(Words c, std::uint32_t key0, std::uint32_t key1) {
  const std::uint64_t a = std::uint64_t(0xD2511F53u) * c.v[0], b = std::uint64_t(0xCD9E8D57u) * c.v[2];
  return {{std::uint32_t(b >> 32) ^ c.v[1] ^ key0, std::uint32_t(b), std::uint32_t(a >> 32) ^ c.v[3] ^ key1,
           std::uint32_t(a)}};
}

// 128 random bits for a counter of 128 bits and a key of 64. Between rounds the key is raised by two constants.
HOST_DEVICE inline Words philox(Words counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u)
    counter = philox_round(counter, key0, key1);
  return counter;
}

// The key is the seed, the counter is (block, stream): 2^64 streams of 2^64 blocks of four numbers.
HOST_DEVICE inline Words philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t block) {
  const Words counter = {{std::uint32_t(block), std::uint32_t(block >> 32), std::uint32_t(stream),
                          std::uint32_t(stream >> 32)}};
  return philox(counter, std::uint32_t(seed), std::uint32_t(seed >> 32));
}

// Uniform in [0, 1): 24 bits, as many as a float holds.
HOST_DEVICE inline float unit(std::uint32_t word) { return float(word >> 8) * 0x1p-24f; }

// Four numbers of U[0, 1), at positions 4 block, ..., 4 block + 3 of the stream.
HOST_DEVICE inline Floats uniform4(std::uint64_t seed, std::uint64_t stream, std::uint64_t block) {
  const Words w = philox(seed, stream, block);
  return {{unit(w.v[0]), unit(w.v[1]), unit(w.v[2]), unit(w.v[3])}};
}

// Two numbers of N(0, 1) from two words: Box-Muller. 1 - unit() lies in (0, 1], so the logarithm is finite.
HOST_DEVICE inline void box_muller(std::uint32_t w1, std::uint32_t w2, float& z1, float& z2) {
  const float radius = sqrtf(-2 * logf(1 - unit(w1))), angle = 6.283185307f * unit(w2);
  z1 = radius * cosf(angle), z2 = radius * sinf(angle);
}

// Four numbers of N(0, 1), at positions 4 block, ..., 4 block + 3 of the stream.
HOST_DEVICE inline Floats normal4(std::uint64_t seed, std::uint64_t stream, std::uint64_t block) {
  const Words w = philox(seed, stream, block);
  Floats z;
  box_muller(w.v[0], w.v[1], z.v[0], z.v[1]);
  box_muller(w.v[2], w.v[3], z.v[2], z.v[3]);
  return z;
}

// The number at one position of a stream, where a thread needs no more than one.
HOST_DEVICE inline float uniform_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t i) {
  return unit(philox(seed, stream, i / 4).v[i % 4]);
}
HOST_DEVICE inline float normal_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t i) {
  return normal4(seed, stream, i / 4).v[i % 4];
}
