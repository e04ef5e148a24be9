#include "core/durable_bits.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

#include "core/aligned_buffer.h"
#include "core/crc32c.h"
#include "core/failure.h"

namespace cloudvol {
namespace {

constexpr uint32_t kPageMagic = 0x50425643;  // "CVBP", little-endian

struct Page {
  uint32_t crc;  // CRC-32C of everything after it
  uint32_t magic;
  uint64_t generation;
  uint64_t index;
  uint64_t tag;
  uint64_t words[DurableBits::kWordsPerPage];
};
static_assert(sizeof(Page) == kPageBytes);

uint32_t ChecksumOf(const Page& page) {
  return Crc32c(reinterpret_cast<const std::byte*>(&page) + sizeof page.crc,
                sizeof page - sizeof page.crc);
}

bool IsValid(const Page& page, uint64_t index, uint64_t tag) {
  return page.magic == kPageMagic && page.index == index && page.tag == tag &&
         page.generation != 0 && page.crc == ChecksumOf(page);
}

// A name is durable when its folder is.
int SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd && fsync(fd.get()) == 0 ? 0 : errno;
}

off_t SlotOffset(uint64_t page, uint64_t generation) {
  return static_cast<off_t>((page * 2 + generation % 2) * kPageBytes);
}

}  // namespace

DurableBits DurableBits::OpenWith(const std::string& path, uint64_t bits, uint64_t tag, int flags) {
  DurableBits durable;
  durable.path_ = path;
  durable.fd_.Reset(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (!durable.fd_) ThrowErrno("open " + path);
  durable.bits_ = bits;
  durable.tag_ = tag;
  durable.generations_.assign(PagesFor(bits), 0);
  return durable;
}

DurableBits DurableBits::Create(const std::string& path, uint64_t bits, uint64_t tag) {
  DurableBits durable = OpenWith(path, bits, tag, O_CREAT | O_TRUNC);
  const off_t bytes = static_cast<off_t>(PagesFor(bits) * 2 * kPageBytes);
  // Reserved now, so that a full disk is an error here and not the end of a later flush.
  if (const int error = posix_fallocate(durable.fd_.get(), 0, bytes))
    throw Failure(error, "extend " + path);
  return durable;
}

DurableBits DurableBits::Open(const std::string& path, uint64_t bits, uint64_t tag) {
  return OpenWith(path, bits, tag, 0);
}

void DurableBits::LoadInto(Bitmap& target) {
  Page slots[2];
  for (uint64_t index = 0; index < PagesFor(bits_); ++index) {
    std::memset(slots, 0, sizeof slots);
    if (pread(fd_.get(), slots, sizeof slots, SlotOffset(index, 0)) < 0)
      ThrowErrno("read " + path_);
    const Page* newest = nullptr;
    for (const Page& page : slots) {
      if (IsValid(page, index, tag_) && (!newest || page.generation > newest->generation))
        newest = &page;
    }
    if (!newest)
      throw Failure(EBADMSG, path_ + " has no valid copy of page " + std::to_string(index));
    generations_[index] = newest->generation;
    const uint64_t first = index * kWordsPerPage;
    const uint64_t end = std::min(first + kWordsPerPage, target.word_count());
    for (uint64_t word = first; word < end; ++word)
      target.OrWord(word, newest->words[word - first]);
  }
}

int DurableBits::WritePage(uint64_t index, const uint64_t* words, uint64_t word_count) {
  Page page = {};
  page.magic = kPageMagic;
  page.generation = generations_[index] + 1;
  page.index = index;
  page.tag = tag_;
  std::memcpy(page.words, words, word_count * sizeof(uint64_t));
  page.crc = ChecksumOf(page);
  const ssize_t written = pwrite(fd_.get(), &page, sizeof page, SlotOffset(index, page.generation));
  if (written < 0) return errno;
  if (written != static_cast<ssize_t>(sizeof page)) return ENOSPC;
  generations_[index] = page.generation;
  return 0;
}

int DurableBits::WriteAll(const Bitmap& source) {
  std::vector<uint64_t> words(kWordsPerPage);
  for (uint64_t index = 0; index < PagesFor(bits_); ++index) {
    const uint64_t first = index * kWordsPerPage;
    const uint64_t count = std::min(kWordsPerPage, source.word_count() - first);
    for (uint64_t word = 0; word < count; ++word) words[word] = source.Load(first + word);
    if (const int error = WritePage(index, words.data(), count)) return error;
  }
  return 0;
}

int DurableBits::Sync() const { return fdatasync(fd_.get()) == 0 ? 0 : errno; }

namespace {

int WriteNew(const std::string& path, const Bitmap& bits, uint64_t tag) {
  try {
    DurableBits durable = DurableBits::Create(path, bits.size(), tag);
    if (const int error = durable.WriteAll(bits)) return error;
    return durable.Sync();
  } catch (const Failure& failure) {
    return failure.error();
  } catch (const std::bad_alloc&) {
    // The caller has dirty bits in its hands that must not be lost on the way of an exception.
    return ENOMEM;
  }
}

}  // namespace

int SaveBits(const std::string& path, const Bitmap& bits, uint64_t tag) {
  const std::string fresh = path + ".new";
  int error = WriteNew(fresh, bits, tag);
  if (!error && rename(fresh.c_str(), path.c_str()) != 0) error = errno;
  if (!error) return SyncFolderOf(path);
  unlink(fresh.c_str());
  return error;
}

void MergeBits(const std::vector<std::string>& sources, const std::string& target, uint64_t bits,
               uint64_t tag) {
  std::vector<uint64_t> words(Bitmap::WordsFor(bits));
  Bitmap merged(words.data(), bits);
  for (const std::string& source : sources) DurableBits::Open(source, bits, tag).LoadInto(merged);
  if (const int error = SaveBits(target, merged, tag)) throw Failure(error, "write " + target);
}

}  // namespace cloudvol
