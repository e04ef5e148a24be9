// A volume mounted for a test. The server is a process of its own that nobody who uses the mount
// shares descriptors with: whichever of the two ends first, the kernel ends the other's waits.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "core/miss_queue.h"
#include "test/test_volume.h"

namespace cloudvol::test {

// Seen by the server and by the test.
struct SharedWithServer {
  std::atomic<bool> may_bring{false};
  std::atomic<bool> end{false};
  std::atomic<uint64_t> asked{0};
  std::atomic<int> closed{-1};  // what the session was closed with
};

struct Server {
  Overlay& overlay;
  MissQueue& misses;
  SharedWithServer& shared;
};

// Brings the blocks of a miss, in a thread of the server.
using Bring = std::function<void(Server&, BlockRun)>;

// Skips the test where writes to one file wait for one another in the kernel.
void NeedParallelWrites();

class FuseMount {
 public:
  // Skips the test where no FUSE mount can be made. To be made before the test starts threads.
  FuseMount(TestVolume& volume, unsigned threads, Bring bring = {});
  ~FuseMount();

  const std::string& path() const { return path_; }
  SharedWithServer& shared() { return *shared_; }
  int Open(int flags) const;
  // Unmounts, waits for the server, and checks that its session ended without an error.
  void Unmount();
  // Cuts the connection under its users, as a forced unmount does; the server goes on.
  void Abort();
  // The server's exit status, once it has ended.
  int WaitForServer();

 private:
  std::string path_;
  SharedWithServer* shared_ = nullptr;
  pid_t server_ = 0;
};

}  // namespace cloudvol::test
