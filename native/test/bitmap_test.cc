#include "core/bitmap.h"

#include <thread>
#include <vector>

#include "test/test.h"

namespace cloudvol::test {
namespace {

struct ModelledBitmap {
  explicit ModelledBitmap(uint64_t bits)
      : words(Bitmap::WordsFor(bits)), bitmap(words.data(), bits), model(bits) {}

  uint64_t ModelNext(uint64_t from, bool wanted) const {
    while (from < model.size() && model[from] != wanted) ++from;
    return from < model.size() ? from : Bitmap::kNone;
  }
  uint64_t ModelCount(uint64_t first, uint64_t count) const {
    uint64_t total = 0;
    for (uint64_t bit = first; bit < first + count; ++bit) total += model[bit];
    return total;
  }

  std::vector<uint64_t> words;
  Bitmap bitmap;
  std::vector<bool> model;
};

void ChangeAndCompare(ModelledBitmap& both, std::mt19937_64& random) {
  const uint64_t first = Below(random, both.model.size());
  const uint64_t count = Below(random, std::min<uint64_t>(both.model.size() - first, 200) + 1);
  const bool set = random() % 2;
  const uint64_t before = both.ModelCount(first, count);
  if (set) {
    CHECK_EQ(both.bitmap.SetRange(first, count), before != count);
  } else {
    both.bitmap.ClearRange(first, count);
  }
  for (uint64_t bit = first; bit < first + count; ++bit) both.model[bit] = set;
  const uint64_t from = Below(random, both.model.size() + 2);
  CHECK_EQ(both.bitmap.NextSet(from), both.ModelNext(from, true));
  CHECK_EQ(both.bitmap.NextClear(from), both.ModelNext(from, false));
  const uint64_t start = Below(random, both.model.size());
  const uint64_t length = Below(random, std::min<uint64_t>(both.model.size() - start, 130) + 1);
  CHECK_EQ(both.bitmap.All(start, length), both.ModelCount(start, length) == length);
  CHECK_EQ(both.bitmap.Any(start, length), both.ModelCount(start, length) != 0);
  CHECK_EQ(both.bitmap.Test(start), both.model[start]);
}

TEST("a bitmap does what a vector of bools does, at every size around a word") {
  auto random = SeededRandom();
  for (const uint64_t bits : {1, 2, 63, 64, 65, 127, 128, 129, 500, 1000}) {
    ModelledBitmap both(bits);
    for (uint64_t step = 0; step < Ops(800); ++step) ChangeAndCompare(both, random);
    CHECK_EQ(both.bitmap.Count(), both.ModelCount(0, bits));
  }
}

TEST("a bitmap ORs another in and loses none of its own bits") {
  auto random = SeededRandom();
  ModelledBitmap target(777), source(777);
  for (uint64_t step = 0; step < 300; ++step) {
    const uint64_t a = Below(random, 777), b = Below(random, 777);
    target.bitmap.Set(a);
    source.bitmap.Set(b);
    target.model[a] = target.model[b] = true;
  }
  target.bitmap.OrWith(source.bitmap);
  for (uint64_t bit = 0; bit < 777; ++bit) CHECK_EQ(target.bitmap.Test(bit), target.model[bit]);
}

TEST("threads that set bits of one word beside each other lose none") {
  constexpr uint64_t kBits = 4096;
  std::vector<uint64_t> words(Bitmap::WordsFor(kBits));
  Bitmap bitmap(words.data(), kBits);
  std::vector<std::thread> threads;
  for (uint64_t start = 0; start < 4; ++start) {
    threads.emplace_back([=]() mutable {
      for (uint64_t bit = start; bit < kBits; bit += 4) bitmap.Set(bit);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(bitmap.Count(), kBits);
}

}  // namespace
}  // namespace cloudvol::test
