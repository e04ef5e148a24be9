#include "core/overlay.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "core/aligned_buffer.h"
#include "core/failure.h"

namespace cloudvol {

namespace {

// A trim of more is done piece by piece: none holds its range for longer than the copying of this
// much into a side store takes. A multiple of every block size.
constexpr uint64_t kZeroPieceBytes = uint64_t{16} << 20;

// What everything below relies on; before any file is touched.
OverlayOptions Checked(OverlayOptions options) {
  const uint64_t bytes = options.block_bytes;
  if (!std::has_single_bit(bytes) || bytes < kPageBytes || bytes > kMaxPieceBytes) {
    throw Failure(EINVAL, "blocks of " + std::to_string(bytes) + " bytes");
  }
  if (options.block_count == 0 || options.block_count > INT64_MAX / bytes) {
    throw Failure(EINVAL, "a volume of " + std::to_string(options.block_count) + " blocks");
  }
  return options;
}

}  // namespace

Overlay::Overlay(OverlayOptions options)
    : options_(Checked(std::move(options))),
      data_(DataFile::Open(options_.data_path, options_.block_count * options_.block_bytes,
                           options_.create_data)) {
  const uint64_t blocks = options_.block_count;
  if (access(options_.live_delta_path.c_str(), F_OK) == 0) {
    dirty_ = LiveBits::Open(options_.live_delta_path, options_.identity, blocks);
  } else {
    dirty_ = LiveBits::Create(options_.live_delta_path, options_.identity, options_.epoch, blocks);
  }
  epoch_ = dirty_.epoch();
  for (const std::string& path : options_.stray_delta_paths) {
    const LiveBits stray = LiveBits::Open(path, options_.identity, blocks);
    dirty_.bits().OrWith(stray.bits());
    stray.Unlink();
  }
  if (options_.live_present_path.empty()) return;
  const uint64_t pages = DurableBits::PagesFor(blocks);
  present_page_changed_.resize(pages);
  if (options_.create_present) {
    durable_present_ = DurableBits::Create(options_.durable_present_path, blocks, options_.tag);
    present_ = LiveBits::Create(options_.live_present_path, options_.identity, epoch_, blocks);
    if (const int error = durable_present_.WriteAll(present_.bits())) {
      throw Failure(error, "write " + options_.durable_present_path);
    }
    if (const int error = durable_present_.Sync())
      throw Failure(error, "sync " + options_.durable_present_path);
    return;
  }
  durable_present_ = DurableBits::Open(options_.durable_present_path, blocks, options_.tag);
  const bool live_survived = access(options_.live_present_path.c_str(), F_OK) == 0;
  present_ = live_survived
                 ? LiveBits::Open(options_.live_present_path, options_.identity, blocks)
                 : LiveBits::Create(options_.live_present_path, options_.identity, epoch_, blocks);
  durable_present_.LoadInto(present_.bits());
  // What the last flush of the earlier process did not carry over is not known: the next one writes
  // every page.
  if (live_survived) present_page_changed_.assign(pages, true);
}

bool Overlay::IsInside(uint64_t offset, uint64_t length) const {
  return length <= size_bytes() && offset <= size_bytes() - length;
}

bool Overlay::IsInside(BlockRun run) const {
  return run.count != 0 && run.count <= block_count() && run.first <= block_count() - run.count;
}

BlockRun Overlay::BlocksOf(uint64_t offset, uint64_t length) const {
  const uint64_t first = offset / block_bytes();
  return {first, (offset + length - 1) / block_bytes() - first + 1};
}

// --- present bits --------------------------------------------------------------------------------

bool Overlay::IsPresent(BlockRun run) const {
  return !present_ || present_.bits().All(run.first, run.count);
}

BlockRun Overlay::AbsentIn(BlockRun run) const {
  if (IsPresent(run)) return {};
  const BlockRun absent = NextAbsent(run.first, run.count);
  // Whole-block writes beside this request may have made them present meanwhile.
  const uint64_t end = run.first + run.count;
  if (absent.count == 0 || absent.first >= end) return {};
  return {absent.first, std::min(absent.count, end - absent.first)};
}

BlockRun Overlay::AbsentEdge(uint64_t offset, uint64_t length) const {
  if (!present_) return {};
  const uint64_t head = offset / block_bytes();
  const uint64_t end = offset + length;
  const uint64_t tail = (end - 1) / block_bytes();
  const bool head_partial = offset % block_bytes() != 0 || end < (head + 1) * block_bytes();
  if (head_partial && !present_.bits().Test(head)) return {head, 1};
  if (end % block_bytes() != 0 && !present_.bits().Test(tail)) return {tail, 1};
  return {};
}

void Overlay::SetPresent(BlockRun run) {
  if (IsPresent(run)) return;
  // Bit and mark are one to a flush: whoever saw the bit set by another thread may flush at once
  // and rely on it.
  const std::lock_guard guard(present_mutex_);
  present_.bits().SetRange(run.first, run.count);
  const uint64_t last = (run.first + run.count - 1) / DurableBits::kBitsPerPage;
  for (uint64_t page = run.first / DurableBits::kBitsPerPage; page <= last; ++page)
    present_page_changed_[page] = true;
}

BlockRun Overlay::NextAbsent(uint64_t from, uint64_t max) const {
  if (!present_ || from >= block_count()) return {};
  const uint64_t first = present_.bits().NextClear(from);
  if (first == Bitmap::kNone) return {};
  // From the next one on: `first` may have become present meanwhile, and an empty run would say
  // that none is absent.
  const uint64_t next = std::min(present_.bits().NextSet(first + 1), block_count());
  return {first, std::min(next - first, max)};
}

uint64_t Overlay::CountAbsent() const {
  return present_ ? block_count() - present_.bits().Count() : 0;
}

uint64_t Overlay::CountDirty() {
  // Counting reads the active delta, which a freeze replaces: a held range keeps it in place.
  const RangeLock::Hold hold(lock_, 0, 1, Mode::kShared);
  return dirty_.bits().Count();
}

int Overlay::Populate(BlockRun run, const std::byte* data) {
  if (!IsInside(run)) return EINVAL;
  // Pieces, so that a reader of one block does not wait for the writing of all.
  const uint64_t piece_blocks = std::max<uint64_t>(kMaxPieceBytes / block_bytes(), 1);
  for (uint64_t first = run.first; first < run.first + run.count; first += piece_blocks) {
    const BlockRun piece = {first, std::min(piece_blocks, run.first + run.count - first)};
    const RangeLock::Hold hold(lock_, piece.first, piece.count, Mode::kExclusive);
    for (BlockRun absent = AbsentIn(piece); absent.count != 0; absent = AbsentIn(piece)) {
      const uint64_t bytes = absent.count * block_bytes();
      const int error =
          data ? data_.Write(absent.first * block_bytes(),
                             {data + (absent.first - run.first) * block_bytes(), bytes})
               : data_.Zero(absent.first * block_bytes(), bytes);
      if (error) return error;
      SetPresent(absent);
    }
  }
  return 0;
}

// --- the doors -----------------------------------------------------------------------------------

Outcome Overlay::Read(uint64_t offset, std::span<std::byte> target) {
  if (!IsInside(offset, target.size())) return {EINVAL, {}};
  if (target.empty()) return {};
  const BlockRun run = BlocksOf(offset, target.size());
  const RangeLock::Hold hold(lock_, run.first, run.count, Mode::kShared);
  if (const BlockRun absent = AbsentIn(run); absent.count != 0) return {0, absent};
  return {data_.Read(offset, target), {}};
}

Outcome Overlay::Write(uint64_t offset, std::span<const std::byte> source) {
  if (!IsInside(offset, source.size())) return {EINVAL, {}};
  if (source.empty()) return {};
  if (failed()) return {EIO, {}};
  const BlockRun run = BlocksOf(offset, source.size());
  Mode mode = data_.IsAligned(offset, source.size()) ? Mode::kShared : Mode::kExclusive;
  for (;;) {
    const RangeLock::Hold hold(lock_, run.first, run.count, mode);
    if (const BlockRun absent = AbsentEdge(offset, source.size()); absent.count != 0)
      return {0, absent};
    if (AnyViewNeeds(run)) {
      if (mode == Mode::kShared) {
        mode = Mode::kExclusive;
        continue;
      }
      CopyBeforeWrite(run);
    }
    dirty_.bits().SetRange(run.first, run.count);
    if (const int error = data_.Write(offset, source)) return {error, {}};
    SetPresent(run);
    return {};
  }
}

Outcome Overlay::Zero(uint64_t offset, uint64_t length) {
  if (!IsInside(offset, length)) return {EINVAL, {}};
  if (length == 0) return {};
  // Before the first piece, for all: a present block stays so.
  if (const BlockRun absent = AbsentEdge(offset, length); absent.count != 0) return {0, absent};
  const uint64_t end = offset + length;
  while (offset < end) {
    const uint64_t piece_end = std::min(end, (offset / kZeroPieceBytes + 1) * kZeroPieceBytes);
    if (const int error = ZeroPiece(offset, piece_end - offset)) return {error, {}};
    offset = piece_end;
  }
  return {};
}

int Overlay::ZeroPiece(uint64_t offset, uint64_t length) {
  if (failed()) return EIO;
  const BlockRun run = BlocksOf(offset, length);
  const RangeLock::Hold hold(lock_, run.first, run.count, Mode::kExclusive);
  if (AnyViewNeeds(run)) CopyBeforeWrite(run);
  dirty_.bits().SetRange(run.first, run.count);
  if (const int error = data_.Zero(offset, length)) return error;
  SetPresent(run);
  return 0;
}

// Flushes that come while one runs share the next: it begins after all that they have to cover. And
// the kernel tells a failed writeback to one caller only, so that no two may ask it at a time.
int Overlay::Flush() {
  std::unique_lock guard(flush_mutex_);
  const uint64_t mine = flushes_begun_ + 1;
  flush_ended_.wait(guard,
                    [&] { return flushes_ended_ == flushes_begun_ || flushes_ended_ >= mine; });
  if (failed()) return EIO;
  if (flushes_ended_ >= mine) return 0;
  ++flushes_begun_;
  guard.unlock();
  const int error = FlushNow();
  guard.lock();
  ++flushes_ended_;
  flush_ended_.notify_all();
  return error ? Fail(error) : 0;
}

int Overlay::FlushNow() {
  // Copies are taken before the sync: a bit that is set later belongs to data that this sync may
  // not cover.
  const std::vector<PresentPage> pages = TakeChangedPages();
  if (const int error = data_.Sync()) return error;
  for (const PresentPage& page : pages) {
    if (const int error =
            durable_present_.WritePage(page.index, page.words.data(), page.words.size()))
      return error;
  }
  return pages.empty() ? 0 : durable_present_.Sync();
}

std::vector<Overlay::PresentPage> Overlay::TakeChangedPages() {
  std::vector<PresentPage> pages;
  const std::lock_guard guard(present_mutex_);
  for (uint64_t index = 0; index < present_page_changed_.size(); ++index) {
    if (!present_page_changed_[index]) continue;
    present_page_changed_[index] = false;
    const uint64_t first = index * DurableBits::kWordsPerPage;
    const uint64_t count =
        std::min(DurableBits::kWordsPerPage, present_.bits().word_count() - first);
    PresentPage page{index, std::vector<uint64_t>(count)};
    for (uint64_t word = 0; word < count; ++word)
      page.words[word] = present_.bits().Load(first + word);
    pages.push_back(std::move(page));
  }
  return pages;
}

// An fsync that failed is final: the kernel may have dropped the pages, so no later one may report
// success.
int Overlay::Fail(int error) {
  int none = 0;
  failed_.compare_exchange_strong(none, error);
  return EIO;
}

uint64_t Overlay::SeekData(uint64_t offset) const {
  // The bits first: what is present by now has its data in the file, what is absent counts as data
  // anyway.
  const BlockRun absent = NextAbsent(offset / block_bytes(), 1);
  const uint64_t data = data_.NextData(offset);
  if (absent.count == 0) return data;
  return std::min(data, std::max(offset, absent.first * block_bytes()));
}

uint64_t Overlay::SeekHole(uint64_t offset) const {
  while (offset < size_bytes()) {
    const uint64_t hole = data_.NextHole(offset);
    if (hole >= size_bytes()) break;
    const uint64_t block = hole / block_bytes();
    if (!IsPresent({block, 1})) {
      const uint64_t present = present_.bits().NextSet(block + 1);
      if (present >= block_count()) break;
      offset = present * block_bytes();
    } else if (data_.NextHole(hole) == hole) {
      // Still one, now that the block is known to be present.
      return hole;
    } else {
      offset = hole;
    }
  }
  return size_bytes();
}

int Overlay::SaveDelta(const std::string& path) {
  const RangeLock::Hold hold(lock_, 0, block_count(), Mode::kExclusive);
  return SaveBits(path, dirty_.bits(), options_.tag);
}

}  // namespace cloudvol
