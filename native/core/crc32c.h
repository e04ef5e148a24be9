// CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, as in RFC 3720 appendix B.4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace cloudvol {

inline uint32_t Crc32c(const std::byte* data, size_t length) {
  static constexpr std::array<uint32_t, 256> kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t index = 0; index < 256; ++index) {
      uint32_t value = index;
      for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
      table[index] = value;
    }
    return table;
  }();
  uint32_t crc = ~0u;
  for (size_t at = 0; at < length; ++at) {
    crc = kTable[(crc ^ static_cast<uint32_t>(data[at])) & 0xff] ^ crc >> 8;
  }
  return ~crc;
}

}  // namespace cloudvol
