#include "test/fuse_mount.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/fuse_session.h"

namespace cloudvol::test {
namespace {

// Takes misses off the hands of the session's threads, as the JavaScript side does.
class Bringer {
 public:
  void Start(Server server, const Bring& bring) {
    thread_ = std::thread([this, server, bring]() mutable { Run(server, bring); });
  }
  void Ask(BlockRun run) {
    const std::lock_guard guard(mutex_);
    wanted_.push_back(run);
    changed_.notify_one();
  }
  void Stop() {
    {
      const std::lock_guard guard(mutex_);
      stop_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  void Run(Server& server, const Bring& bring) {
    std::unique_lock guard(mutex_);
    for (;;) {
      changed_.wait(guard, [&] { return stop_ || !wanted_.empty(); });
      if (stop_) return;
      const BlockRun run = wanted_.front();
      wanted_.pop_front();
      guard.unlock();
      if (bring) bring(server, run);
      guard.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BlockRun> wanted_;
  bool stop_ = false;
  std::thread thread_;
};

// Until the session has ended by itself, or the test says that it shall.
void Serve(TestVolume& volume, int device, unsigned threads, const Bring& bring,
           SharedWithServer& shared) {
  const auto overlay = volume.Open();
  Bringer bringer;
  const auto misses = std::make_shared<MissQueue>(overlay, [&](BlockRun run) {
    bringer.Ask(run);
    ++shared.asked;
  });
  bringer.Start({*overlay, *misses, shared}, bring);
  {
    const FuseSession session(UniqueFd(device), overlay, misses, threads,
                              [&](int error) { CHECK_EQ(shared.closed.exchange(error), -1); });
    while (shared.closed < 0 && !shared.end) usleep(2000);
  }
  CHECK(shared.closed >= 0);
  bringer.Stop();
}

}  // namespace

void NeedParallelWrites() {
  struct utsname kernel;
  unsigned major = 0, minor = 0;
  CHECK_EQ(uname(&kernel), 0);
  CHECK_EQ(sscanf(kernel.release, "%u.%u", &major, &minor), 2);
  // FOPEN_PARALLEL_DIRECT_WRITES.
  if (major * 100 + minor < 602) SkipTest("this kernel is older than Linux 6.2");
}

FuseMount::FuseMount(TestVolume& volume, unsigned threads, Bring bring)
    : path_(volume.options.data_path + "-mounted") {
  if (geteuid() != 0) SkipTest("only root can mount");
  const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) SkipTest("/dev/fuse cannot be opened");
  void* memory = mmap(nullptr, sizeof(SharedWithServer), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  shared_ = new (memory) SharedWithServer;
  const int placeholder = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  CHECK(placeholder >= 0 && close(placeholder) == 0);
  server_ = fork();
  if (server_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(0);
    Serve(volume, device, threads, bring, *shared_);
    exit(0);
  }
  const std::string data = "fd=" + std::to_string(device) +
                           ",rootmode=100000,user_id=0,group_id=0,allow_other,default_permissions";
  const int mounted =
      mount("cloudvol-test", path_.c_str(), "fuse", MS_NOSUID | MS_NODEV, data.c_str());
  if (mounted != 0 && (errno == EPERM || errno == ENODEV)) {
    kill(server_, SIGKILL);
    SkipTest("FUSE cannot be mounted here");
  }
  CHECK_EQ(mounted, 0);
  close(device);
}

FuseMount::~FuseMount() {
  if (server_) Unmount();
}

int FuseMount::Open(int flags) const {
  const int fd = open(path_.c_str(), flags | O_CLOEXEC);
  CHECK(fd >= 0);
  return fd;
}

int FuseMount::WaitForServer() {
  int status = 0;
  CHECK(waitpid(server_, &status, 0) == server_);
  server_ = 0;
  return status;
}

void FuseMount::Unmount() {
  CHECK_EQ(umount2(path_.c_str(), UMOUNT_NOFOLLOW), 0);
  CHECK_EQ(WaitForServer(), 0);
  CHECK_EQ(shared_->closed.load(), 0);
}

void FuseMount::Abort() { CHECK_EQ(umount2(path_.c_str(), MNT_FORCE | MNT_DETACH), 0); }

}  // namespace cloudvol::test
