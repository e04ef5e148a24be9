#include "core/durable_bits.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "core/crc32c.h"
#include "core/failure.h"
#include "core/frozen_view.h"
#include "test/system_calls.h"
#include "test/test.h"

namespace cloudvol::test {
namespace {

constexpr uint64_t kBits = DurableBits::kBitsPerPage * 2 + 100;
constexpr uint64_t kPages = 3;
constexpr uint64_t kTag = 42;
constexpr size_t kSlotBytes = 4096;

// Alters a page as a torn write would: part of it holds other bytes.
void Tear(const std::string& path, uint64_t page, uint64_t slot, size_t from, size_t length) {
  const UniqueFd fd(open(path.c_str(), O_RDWR));
  const off_t at = static_cast<off_t>((page * 2 + slot) * kSlotBytes + from);
  std::vector<std::byte> bytes(length);
  CHECK(pread(fd.get(), bytes.data(), length, at) == static_cast<ssize_t>(length));
  for (std::byte& byte : bytes) byte ^= std::byte{0x5a};
  CHECK(pwrite(fd.get(), bytes.data(), length, at) == static_cast<ssize_t>(length));
}

uint64_t CountIn(const std::string& path, uint64_t tag = kTag) {
  OwnedBitmap read(kBits);
  DurableBits::Open(path, kBits, tag).LoadInto(*read);
  return read->Count();
}

// Generation n holds the bits 0 … n-1 of every page; generation n lies in slot n % 2.
void WriteGenerations(DurableBits& durable, OwnedBitmap& bits, uint64_t from, uint64_t to) {
  for (uint64_t generation = from; generation <= to; ++generation) {
    for (uint64_t page = 0; page < kPages; ++page) {
      bits->Set(page * DurableBits::kBitsPerPage + generation - 1);
    }
    CHECK_EQ(durable.WriteAll(*bits), 0);
  }
}

TEST("the checksum is CRC-32C") {
  // RFC 3720, appendix B.4: the bytes 0 … 31.
  std::array<std::byte, 32> ascending;
  for (size_t at = 0; at < 32; ++at) ascending[at] = static_cast<std::byte>(at);
  CHECK_EQ(Crc32c(ascending.data(), 32), 0x46dd794eu);
  const std::array<std::byte, 32> zeros{};
  CHECK_EQ(Crc32c(zeros.data(), 32), 0x8a9136aau);
}

TEST("durable bits read back what was written last, whatever was there before") {
  auto random = SeededRandom();
  const std::string path = DiskFolder() + "/bits";
  OwnedBitmap bits(kBits);
  DurableBits durable = DurableBits::Create(path, kBits, kTag);
  for (uint64_t round = 0; round < 5; ++round) {
    for (int change = 0; change < 200; ++change) {
      const uint64_t bit = Below(random, kBits);
      random() % 3 ? bits->Set(bit) : bits->Clear(bit);
    }
    CHECK_EQ(durable.WriteAll(*bits), 0);
    CHECK_EQ(durable.Sync(), 0);
    OwnedBitmap read(kBits);
    DurableBits::Open(path, kBits, kTag).LoadInto(*read);
    for (uint64_t word = 0; word < bits->word_count(); ++word) {
      CHECK_EQ(read->Load(word), bits->Load(word));
    }
  }
}

TEST("a torn newest page leaves its predecessor, and both torn are not believed") {
  const std::string path = DiskFolder() + "/bits";
  OwnedBitmap bits(kBits);
  DurableBits durable = DurableBits::Create(path, kBits, kTag);
  WriteGenerations(durable, bits, 1, 4);
  CHECK_EQ(CountIn(path), 4 * kPages);
  Tear(path, 1, 0, 700, 512);
  CHECK_EQ(CountIn(path), 4 * kPages - 1);
  Tear(path, 1, 1, 0, 512);
  CHECK_FAILS(EBADMSG, CountIn(path));
}

TEST("after a torn page the next write takes the torn one's place, never the good one's") {
  const std::string path = DiskFolder() + "/bits";
  OwnedBitmap bits(kBits);
  DurableBits durable = DurableBits::Create(path, kBits, kTag);
  WriteGenerations(durable, bits, 1, 4);
  Tear(path, 0, 0, 0, kSlotBytes);
  DurableBits reopened = DurableBits::Open(path, kBits, kTag);
  OwnedBitmap loaded(kBits);
  reopened.LoadInto(*loaded);
  // Torn again in the writing: what was loaded is still there.
  WriteGenerations(reopened, loaded, 5, 5);
  Tear(path, 0, 0, 100, 1);
  CHECK_EQ(CountIn(path), 5 * kPages - 2);
}

TEST("any torn bytes of one slot leave the newest or its predecessor, never anything else") {
  auto random = SeededRandom();
  const std::string path = DiskFolder() + "/bits";
  for (uint64_t round = 0; round < Ops(150); ++round) {
    OwnedBitmap bits(kBits);
    DurableBits durable = DurableBits::Create(path, kBits, kTag);
    const uint64_t last = 2 + Below(random, 3);
    WriteGenerations(durable, bits, 1, last);
    const uint64_t slot = random() % 2;
    const size_t from = Below(random, kSlotBytes);
    Tear(path, Below(random, kPages), slot, from, 1 + Below(random, kSlotBytes - from));
    CHECK_EQ(CountIn(path), last * kPages - (slot == last % 2 ? 1 : 0));
  }
}

TEST("pages of another owner, a short file and one never written do not count") {
  const std::string path = DiskFolder() + "/bits";
  OwnedBitmap bits(kBits);
  DurableBits durable = DurableBits::Create(path, kBits, kTag);
  CHECK_FAILS(EBADMSG, CountIn(path));
  WriteGenerations(durable, bits, 1, 2);
  CHECK_FAILS(EBADMSG, CountIn(path, kTag + 1));
  CHECK(truncate(path.c_str(), kSlotBytes * 4) == 0);
  CHECK_FAILS(EBADMSG, CountIn(path));
  CHECK_FAILS(ENOENT, CountIn(path + "-none"));
}

TEST("bits are saved whole and synced before they get their name, and the name synced after") {
  const std::string path = DiskFolder() + "/bits";
  OwnedBitmap bits(kBits);
  bits->SetRange(10, 70);
  std::vector<CallName> calls;
  Intercept([&](const Call& call) {
    if (calls.empty() || calls.back() != call.name) calls.push_back(call.name);
    return 0;
  });
  CHECK_EQ(SaveBits(path, *bits, kTag), 0);
  Intercept({});
  const std::vector<CallName> wanted = {CallName::kWrite, CallName::kSyncData, CallName::kRename,
                                        CallName::kSync};
  CHECK(calls == wanted);
  CHECK_EQ(CountIn(path), 70u);
}

TEST("a saving that fails leaves the old bits, and no other file") {
  const std::string path = DiskFolder() + "/bits";
  OwnedBitmap bits(kBits);
  bits->Set(1);
  CHECK_EQ(SaveBits(path, *bits, kTag), 0);
  bits->SetRange(0, 50);
  for (const CallName failing : {CallName::kWrite, CallName::kSyncData, CallName::kRename}) {
    Intercept([=](const Call& call) { return call.name == failing ? ENOSPC : 0; });
    CHECK_EQ(SaveBits(path, *bits, kTag), ENOSPC);
    Intercept({});
    CHECK_EQ(CountIn(path), 1u);
    CHECK(access((path + ".new").c_str(), F_OK) != 0);
  }
}

TEST("merged files are the OR of all, and the target may be one of them") {
  const std::string folder = DiskFolder();
  OwnedBitmap a(kBits), b(kBits);
  a->SetRange(0, 10);
  b->SetRange(5, 10);
  CHECK_EQ(SaveBits(folder + "/a", *a, kTag), 0);
  CHECK_EQ(SaveBits(folder + "/b", *b, kTag), 0);
  MergeBits({folder + "/a", folder + "/b"}, folder + "/b", kBits, kTag);
  CHECK_EQ(CountIn(folder + "/b"), 15u);
  CHECK_FAILS(ENOENT, (MergeBits({folder + "/none"}, folder + "/b", kBits, kTag), 0));
  CHECK_EQ(CountIn(folder + "/b"), 15u);
}

}  // namespace
}  // namespace cloudvol::test
