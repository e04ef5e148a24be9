// frozen-is-immutable against a model: random changes and views, one thread and many.
#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <thread>

#include "test/test_volume.h"

namespace cloudvol::test {
namespace {

using Kind = TestVolume::Kind;
using View = std::shared_ptr<FrozenView>;

// What the backing source holds; zeros for a local volume.
Bytes ChainOf(Kind kind, uint64_t blocks) {
  Bytes chain(blocks * kBlockBytes);
  if (kind == Kind::kLocal) return chain;
  for (uint64_t block = 0; block < blocks; ++block) {
    StampInto(chain.data() + block * kBlockBytes, block, 0xc0ffee);
  }
  return chain;
}

// A write (aligned or not) or trim whose bytes follow from its numbers.
struct Change {
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t fill = 0;  // 0: a trim

  static Change Random(std::mt19937_64& random, uint64_t start, uint64_t end) {
    Change change;
    change.offset = start + Below(random, end - start);
    change.length = 1 + Below(random, std::min<uint64_t>(end - change.offset, 4 * kBlockBytes));
    change.fill = random() % 5 == 0 ? 0 : random() | 1;
    if (random() % 2) return change;
    change.offset = change.offset / kBlockBytes * kBlockBytes;
    const uint64_t blocks = change.length / kBlockBytes + 1;
    change.length = std::min(blocks * kBlockBytes, end - change.offset);
    return change;
  }

  void ApplyTo(Bytes& image) const { FillInto(image.data() + offset); }

  void ApplyTo(Overlay& overlay, const Bytes& chain) const {
    Bytes bytes(length);
    FillInto(bytes.data());
    for (;;) {
      const Outcome outcome = fill ? overlay.Write(offset, bytes) : overlay.Zero(offset, length);
      CHECK_EQ(outcome.error, 0);
      if (!outcome.IsAbsent()) return;
      const BlockRun run = outcome.absent;
      CHECK_EQ(overlay.Populate(run, chain.data() + run.first * kBlockBytes), 0);
    }
  }

 private:
  void FillInto(std::byte* target) const {
    uint64_t value = fill;
    for (uint64_t at = 0; at < length; ++at, value = value * 5 + (fill >> 8)) {
      target[at] = static_cast<std::byte>(value);
    }
  }
};

// A run of a view's blocks, absent ones taken from the chain as a backup does.
void ReadRun(Overlay& overlay, FrozenView& view, BlockRun run, const Bytes& chain, Bytes& image) {
  std::vector<BlockRun> absent;
  std::byte* target = image.data() + run.first * kBlockBytes;
  CHECK_EQ(overlay.ReadView(view, run, target, absent), 0);
  for (const BlockRun& missing : absent) {
    CHECK(missing.first >= run.first && missing.first + missing.count <= run.first + run.count);
    const auto from = chain.begin() + static_cast<std::ptrdiff_t>(missing.first * kBlockBytes);
    std::copy_n(from, missing.count * kBlockBytes, image.data() + missing.first * kBlockBytes);
  }
}

// The whole image as of the view: what it plans, over what is there without it.
Bytes ImageOf(Overlay& overlay, FrozenView& view, const Bytes& chain, Bytes image) {
  for (uint64_t first = view.plan->NextSet(0); first != Bitmap::kNone;) {
    const uint64_t end = std::min(view.plan->NextClear(first), overlay.block_count());
    ReadRun(overlay, view, {first, end - first}, chain, image);
    first = view.plan->NextSet(end);
  }
  return image;
}

// --- one thread ----------------------------------------------------------------------------------

class ModelledVolume {
 public:
  static constexpr uint64_t kBlocks = 80;

  explicit ModelledVolume(Kind kind)
      : random_(SeededRandom()),
        chain_(ChainOf(kind, kBlocks)),
        current_(chain_),
        volume_(DiskFolder(), kind, kBlocks),
        overlay_(volume_.Open()) {}

  void Step() {
    const uint64_t choice = random_() % 100;
    if (choice < 60) {
      const Change change = Change::Random(random_, 0, current_.size());
      change.ApplyTo(*overlay_, chain_);
      change.ApplyTo(current_);
    } else if (choice < 70) {
      const uint64_t first = Below(random_, kBlocks);
      const BlockRun run = {first, 1 + Below(random_, std::min<uint64_t>(kBlocks - first, 5))};
      CHECK_EQ(overlay_->Populate(run, chain_.data() + run.first * kBlockBytes), 0);
    } else if (choice < 80) {
      if (held_.size() < kMaxViews) Freeze();
    } else if (!held_.empty()) {
      const size_t which = Below(random_, held_.size());
      choice < 94 ? Compare(which) : End(which);
    }
  }

  void End() {
    while (!held_.empty()) End(Below(random_, held_.size()));
  }

 private:
  struct Held {
    View view;
    Bytes image;
    // What is there without the view's plan; of one that is held, the plan to come.
    Bytes without;
    std::optional<ViewPlan> to_come = {};
    std::vector<bool> forgotten = std::vector<bool>(kBlocks);
  };

  // A full, or an incremental on any instant that was; or held, and settled later.
  void Freeze() {
    const uint64_t epoch = overlay_->epoch();
    const bool full = images_.empty() || random_() % 3 == 0;
    FreezeOptions freeze = volume_.NextFreeze(*overlay_, full);
    const uint64_t base = full ? 0 : 1 + Below(random_, epoch - 1);
    for (uint64_t delta = base + 1; !full && delta < epoch; ++delta) {
      freeze.plan.base_delta_paths.push_back(volume_.SealedPath(delta));
    }
    freeze.hold = random_() % 2 == 0;
    const View view = overlay_->Freeze(freeze);
    CHECK_EQ(view->epoch, epoch);
    Held held = {view, current_, full ? Bytes(current_.size()) : images_.at(base)};
    CHECK(ImageOf(*overlay_, *view, chain_, held.without) == current_);
    if (freeze.hold) {
      freeze.plan.base_delta_paths.push_back(freeze.sealed_delta_path);
      held.to_come = freeze.plan;
    }
    held_.push_back(held);
    images_[epoch] = current_;
  }

  void Settle(Held& held) {
    overlay_->Settle(*held.view, *held.to_come);
    held.to_come.reset();
    CHECK(ImageOf(*overlay_, *held.view, chain_, held.without) == held.image);
  }

  // Some of the planned blocks; now and then they are forgotten, as uploaded ones are.
  void Compare(size_t which) {
    Held& held = held_[which];
    const uint64_t first = held.view->plan->NextSet(Below(random_, kBlocks));
    if (first == Bitmap::kNone) return;
    const uint64_t end = std::min(held.view->plan->NextClear(first), kBlocks);
    const BlockRun run = {first, 1 + Below(random_, end - first)};
    Bytes read(held.image.size());
    ReadRun(*overlay_, *held.view, run, chain_, read);
    for (uint64_t block = run.first; block < run.first + run.count; ++block) {
      const uint64_t at = block * kBlockBytes;
      if (held.forgotten[block]) continue;
      CHECK(std::memcmp(read.data() + at, held.image.data() + at, kBlockBytes) == 0);
    }
    if (held.to_come) {
      if (random_() % 3 == 0) Settle(held);
      return;
    }
    if (random_() % 4) return;
    held.view->need->ClearRange(run.first, run.count);
    std::fill_n(held.forgotten.begin() + static_cast<std::ptrdiff_t>(first), run.count, true);
  }

  void End(size_t which) {
    Compare(which);
    overlay_->EndView(held_[which].view);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  std::mt19937_64 random_;
  const Bytes chain_;
  Bytes current_;
  TestVolume volume_;
  const std::shared_ptr<Overlay> overlay_;
  std::vector<Held> held_;
  std::map<uint64_t, Bytes> images_;  // by epoch that was sealed
};

TEST("frozen-is-immutable: fulls and incrementals on any base, read and ended in any order") {
  for (const Kind kind : {Kind::kLocal, Kind::kLazy}) {
    for (uint64_t round = 0; round < 2; ++round) {
      ModelledVolume volume(kind);
      for (uint64_t step = 0; step < Ops(200); ++step) volume.Step();
      volume.End();
    }
  }
}

// --- many threads --------------------------------------------------------------------------------

// A thread that changes blocks of its own and says which change it began and which it finished.
class Writer {
 public:
  static constexpr uint64_t kBlocks = 12;
  static constexpr uint64_t kRegionBytes = kBlocks * kBlockBytes;

  Writer(Overlay& overlay, const Bytes& chain, uint64_t number, uint64_t max_changes)
      : overlay_(overlay), chain_(chain), start_(number * kRegionBytes), log_(max_changes) {
    thread_ = std::thread([this, random = SeededRandom()]() mutable { Run(random); });
  }
  ~Writer() {
    stop_ = true;
    Allow(1);
    thread_.join();
  }

  // A little more to do: the test replays all of it.
  void Allow(uint64_t changes) {
    allowed_ += changes;
    allowed_.notify_all();
  }

  uint64_t start() const { return start_; }
  uint64_t begun() const { return begun_; }
  uint64_t finished() const { return finished_; }
  const Change& change(uint64_t number) const { return log_[number]; }

 private:
  void Run(std::mt19937_64& random) {
    for (uint64_t number = 0; number < log_.size(); ++number) {
      for (uint64_t all = allowed_; all <= number; all = allowed_) allowed_.wait(all);
      if (stop_) return;
      log_[number] = Change::Random(random, start_, start_ + kRegionBytes);
      begun_ = number + 1;
      log_[number].ApplyTo(overlay_, chain_);
      finished_ = number + 1;
    }
  }

  Overlay& overlay_;
  const Bytes& chain_;
  const uint64_t start_;
  std::vector<Change> log_;
  std::atomic<uint64_t> allowed_{0};
  std::atomic<uint64_t> begun_{0};
  std::atomic<uint64_t> finished_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

bool SameRegion(const Bytes& a, const Bytes& b, uint64_t start) {
  return std::memcmp(a.data() + start, b.data() + start, Writer::kRegionBytes) == 0;
}

// Moves `image` forward from `applied` changes to where the writer's region is that of the view,
// which must be one it had between `finished` before the freeze and `begun` after it.
void FindInstant(const Writer& writer, const Bytes& view_image, uint64_t finished, uint64_t begun,
                 uint64_t& applied, Bytes& image) {
  while (applied < finished) writer.change(applied++).ApplyTo(image);
  while (!SameRegion(image, view_image, writer.start())) {
    CHECK(applied < begun);
    writer.change(applied++).ApplyTo(image);
  }
}

void FreezeAmongWriters(Kind kind) {
  constexpr uint64_t kWriters = 4;
  constexpr uint64_t kBlocks = kWriters * Writer::kBlocks;
  auto random = SeededRandom();
  const Bytes chain = ChainOf(kind, kBlocks);
  TestVolume volume(MemoryFolder(), kind, kBlocks);
  const auto overlay = volume.Open();
  constexpr uint64_t kChanges = 30;  // of a writer, around each freeze
  const uint64_t rounds = Ops(40);
  std::vector<std::unique_ptr<Writer>> writers;
  for (uint64_t number = 0; number < kWriters; ++number) {
    writers.push_back(std::make_unique<Writer>(*overlay, chain, number, rounds * kChanges));
  }
  struct Held {
    View view;
    Bytes without;
    Bytes image;
    std::optional<ViewPlan> to_come;
  };
  std::vector<Held> held;
  Bytes last = chain;  // at the newest instant so far
  std::vector<uint64_t> applied(kWriters);
  for (uint64_t round = 0; round < rounds; ++round) {
    for (const auto& writer : writers) writer->Allow(kChanges);
    while (held.size() == kMaxViews || (!held.empty() && random() % 3 == 0)) {
      const size_t which = Below(random, held.size());
      if (held[which].to_come) overlay->Settle(*held[which].view, *held[which].to_come);
      CHECK(ImageOf(*overlay, *held[which].view, chain, held[which].without) == held[which].image);
      overlay->EndView(held[which].view);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    }
    std::vector<uint64_t> finished(kWriters), begun(kWriters);
    for (uint64_t at = 0; at < kWriters; ++at) finished[at] = writers[at]->finished();
    const bool full = round == 0 || random() % 3 == 0;
    FreezeOptions freeze = volume.NextFreeze(*overlay, full);
    freeze.hold = random() % 2 == 0;
    const View view = overlay->Freeze(freeze);
    for (uint64_t at = 0; at < kWriters; ++at) begun[at] = writers[at]->begun();
    const Bytes without = full ? Bytes(chain.size()) : last;
    const Bytes image = ImageOf(*overlay, *view, chain, without);
    for (uint64_t at = 0; at < kWriters; ++at) {
      FindInstant(*writers[at], image, finished[at], begun[at], applied[at], last);
    }
    freeze.plan.base_delta_paths = {freeze.sealed_delta_path};
    held.push_back({view, without, image,
                    freeze.hold ? std::optional(freeze.plan) : std::nullopt});
  }
  for (const auto& writer : writers) CHECK(writer->finished() > 0);
}

TEST("frozen-is-immutable: each view among four writers is one instant, and stays it") {
  FreezeAmongWriters(Kind::kLocal);
}

TEST("frozen-is-immutable: so is each view of a lazy volume whose blocks come meanwhile") {
  FreezeAmongWriters(Kind::kLazy);
}

}  // namespace
}  // namespace cloudvol::test
