// A point in time of an overlay, held while writes go on. The overlay copies a block into the
// newest view's side store before its first write since that view's instant, when any view still
// needs it; see overlay.cc.
//
//   need    blocks whose old content this view still wants (only ever shrinks)
//   copied  blocks whose content of this instant lies in this view's side store
//   absent  of the copied ones: those that were not local then; their bytes come from the backing
//   source
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/bitmap.h"
#include "core/data_file.h"

namespace cloudvol {

class OwnedBitmap {
 public:
  explicit OwnedBitmap(uint64_t bits)
      : words_(Bitmap::WordsFor(bits)), bits_(words_.data(), bits) {}
  OwnedBitmap(const OwnedBitmap&) = delete;
  OwnedBitmap& operator=(const OwnedBitmap&) = delete;
  Bitmap* operator->() { return &bits_; }
  const Bitmap* operator->() const { return &bits_; }
  Bitmap& operator*() { return bits_; }
  const Bitmap& operator*() const { return bits_; }

 private:
  std::vector<uint64_t> words_;
  Bitmap bits_;
};

struct FrozenView {
  // The side store is a sparse file with every block at its own offset, without a name from the
  // start: nothing is left behind however the process ends. Throws Failure.
  FrozenView(const std::string& side_path, uint64_t block_count, uint64_t block_bytes)
      : plan(block_count),
        need(block_count),
        copied(block_count),
        absent(block_count),
        side(DataFile::Open(side_path, block_count * block_bytes, true)) {
    unlink(side_path.c_str());
  }

  OwnedBitmap plan;
  OwnedBitmap need;
  OwnedBitmap copied;
  OwnedBitmap absent;
  DataFile side;
  // What its copies take of the bound for all side stores; under the locks of the copied blocks.
  std::atomic<uint64_t> side_bytes{0};
  uint64_t epoch = 0;
  // Set when a block that this view needed could not be copied; its cloudsnap fails, the write did
  // not.
  std::atomic<int> broken{0};

  // Whether the old content of the block is still worth keeping for this view.
  bool Wants(uint64_t block) const { return broken == 0 && need->Test(block); }
};

}  // namespace cloudvol
