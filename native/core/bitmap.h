// Bits over memory that somebody else owns. Every operation on a word is atomic, so that threads
// may set bits beside each other and a reader sees each bit either before or after.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

namespace cloudvol {

class Bitmap {
 public:
  static constexpr uint64_t kNone = UINT64_MAX;

  Bitmap() = default;
  Bitmap(uint64_t* words, uint64_t bits) : words_(words), bits_(bits) {}

  static constexpr uint64_t WordsFor(uint64_t bits) { return (bits + 63) / 64; }

  uint64_t size() const { return bits_; }
  uint64_t word_count() const { return WordsFor(bits_); }
  const uint64_t* words() const { return words_; }

  bool Test(uint64_t bit) const { return Load(bit / 64) >> (bit % 64) & 1; }
  void Set(uint64_t bit) { SetRange(bit, 1); }
  void Clear(uint64_t bit) { ClearRange(bit, 1); }

  // True when a bit was set that was clear before. Words that hold every bit already are not
  // written (no cache traffic).
  bool SetRange(uint64_t first, uint64_t count) {
    bool changed = false;
    ForWords(first, count, [&](uint64_t word, uint64_t mask) {
      if ((Load(word) & mask) == mask) return true;
      changed |= (Ref(word).fetch_or(mask, std::memory_order_acq_rel) & mask) != mask;
      return true;
    });
    return changed;
  }

  void ClearRange(uint64_t first, uint64_t count) {
    ForWords(first, count, [&](uint64_t word, uint64_t mask) {
      if (Load(word) & mask) Ref(word).fetch_and(~mask, std::memory_order_acq_rel);
      return true;
    });
  }

  bool All(uint64_t first, uint64_t count) const {
    return ForWords(first, count,
                    [&](uint64_t word, uint64_t mask) { return (Load(word) & mask) == mask; });
  }

  bool Any(uint64_t first, uint64_t count) const {
    return !ForWords(first, count,
                     [&](uint64_t word, uint64_t mask) { return (Load(word) & mask) == 0; });
  }

  uint64_t Count() const {
    uint64_t total = 0;
    for (uint64_t word = 0; word < word_count(); ++word) total += std::popcount(Load(word));
    return total;
  }

  // The first set (clear) bit at or after `from`, or kNone.
  uint64_t NextSet(uint64_t from) const { return Next(from, 0); }
  uint64_t NextClear(uint64_t from) const { return Next(from, ~uint64_t{0}); }

  void OrWith(const Bitmap& other) {
    const uint64_t words = word_count() < other.word_count() ? word_count() : other.word_count();
    for (uint64_t word = 0; word < words; ++word) OrWord(word, other.Load(word));
  }
  void OrWord(uint64_t word, uint64_t value) {
    if (value) Ref(word).fetch_or(value, std::memory_order_acq_rel);
  }

  uint64_t Load(uint64_t word) const {
    return std::atomic_ref<uint64_t>(words_[word]).load(std::memory_order_acquire);
  }

 private:
  std::atomic_ref<uint64_t> Ref(uint64_t word) { return std::atomic_ref<uint64_t>(words_[word]); }

  // Calls visit(word, mask) for each word of the range until it returns false; says whether it
  // never did.
  template <typename Visit>
  static bool ForWords(uint64_t first, uint64_t count, Visit visit) {
    const uint64_t end = first + count;
    while (first < end) {
      const uint64_t shift = first % 64;
      const uint64_t span = end - first < 64 - shift ? end - first : 64 - shift;
      const uint64_t mask = (span == 64 ? ~uint64_t{0} : (uint64_t{1} << span) - 1) << shift;
      if (!visit(first / 64, mask)) return false;
      first += span;
    }
    return true;
  }

  uint64_t Next(uint64_t from, uint64_t flip) const {
    if (from >= bits_) return kNone;
    uint64_t word = from / 64;
    uint64_t value = (Load(word) ^ flip) & (~uint64_t{0} << (from % 64));
    while (value == 0) {
      if (++word >= word_count()) return kNone;
      value = Load(word) ^ flip;
    }
    const uint64_t bit = word * 64 + std::countr_zero(value);
    return bit < bits_ ? bit : kNone;
  }

  uint64_t* words_ = nullptr;
  uint64_t bits_ = 0;
};

}  // namespace cloudvol
