// A bitmap on disk in pages of 4 KiB, each with a checksum and written alternately to one of two
// slots: a page torn by a power cut leaves its predecessor. Bits travel between here and a live
// bitmap; nothing is mapped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/bitmap.h"
#include "core/unique_fd.h"

namespace cloudvol {

class DurableBits {
 public:
  // 4,096 bytes less the page's header of 32.
  static constexpr uint64_t kWordsPerPage = 508;
  static constexpr uint64_t kBitsPerPage = kWordsPerPage * 64;
  static constexpr uint64_t PagesFor(uint64_t bits) {
    return (bits + kBitsPerPage - 1) / kBitsPerPage;
  }

  DurableBits() = default;
  // `tag` says whose bits they are: pages with another tag do not count. Throws Failure.
  static DurableBits Create(const std::string& path, uint64_t bits, uint64_t tag);
  static DurableBits Open(const std::string& path, uint64_t bits, uint64_t tag);

  // ORs the newest valid copy of every page into `target`. Throws Failure(EBADMSG) when a page has
  // no valid copy.
  void LoadInto(Bitmap& target);
  // Return 0 or an errno value. `words` are the page's words (fewer in the last page).
  int WritePage(uint64_t page, const uint64_t* words, uint64_t word_count);
  int WriteAll(const Bitmap& source);
  int Sync() const;

  explicit operator bool() const { return static_cast<bool>(fd_); }

 private:
  static DurableBits OpenWith(const std::string& path, uint64_t bits, uint64_t tag, int flags);

  std::string path_;
  UniqueFd fd_;
  uint64_t bits_ = 0;
  uint64_t tag_ = 0;
  std::vector<uint64_t> generations_;  // of each page's newest copy; its slot is generation % 2
};

// Writes bits to a new file that takes the place of `path` when it is whole and on disk. 0 or an
// errno value.
int SaveBits(const std::string& path, const Bitmap& bits, uint64_t tag);
// ORs files of durable bits into one that takes the place of `target`, which may be one of them.
// Throws Failure.
void MergeBits(const std::vector<std::string>& sources, const std::string& target, uint64_t bits,
               uint64_t tag);

}  // namespace cloudvol
