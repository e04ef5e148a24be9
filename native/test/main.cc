// Runs the tests, each in a process group of its own, one after another: `core_test [part of a
// title]`. SEED= and OPS= as in test.h. What a test mounts lies in a mount namespace that ends with
// this process, so that nothing is left behind even when it is killed.
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>

#include "test/test.h"

namespace cloudvol::test {
namespace {

// Far above what any test takes under a sanitizer on a busy machine: it ends those that hang.
constexpr unsigned kTestSeconds = 120;
constexpr int kSkipped = 77;

// Shared between this process and the test's.
struct Report {
  char missing[200];
  char disk_folder[64];
  char memory_folder[64];
};

Report* report = nullptr;
uint64_t seed = 0;
uint64_t ops_percent = 100;
std::atomic<uint64_t> streams{0};
volatile sig_atomic_t asked_to_end = 0;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = getenv(name);
  return text && *text ? strtoull(text, nullptr, 10) : otherwise;
}

void MakeFolder(char (&folder)[64], const char* parent) {
  snprintf(folder, sizeof folder, "%s/cloudvol-test-XXXXXX", parent);
  if (!mkdtemp(folder)) folder[0] = 0;
}

int RemoveEntry(const char* path, const struct stat*, int, struct FTW*) { return remove(path); }

// Aborts what is still connected, so that nobody hangs on it.
void UnmountUnder(const std::string& folder) {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string source, path, rest; mounts >> source >> path && getline(mounts, rest);) {
    if (!path.starts_with(folder + "/")) continue;
    umount2(path.c_str(), MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}

void RemoveFolder(const char* folder) {
  if (!*folder) return;
  UnmountUnder(folder);
  nftw(folder, RemoveEntry, 16, FTW_DEPTH | FTW_PHYS);
}

// The mounts of tests are nobody else's to see, and end with the last process that sees them.
void EnterOwnMountNamespace() {
  if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0) {
    mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  }
}

int RunInProcess(const Test& test) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(kTestSeconds);
    test.body();
    // Not _exit: the sanitizers look for leaks at the end.
    exit(0);
  }
  setpgid(child, child);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    if (asked_to_end) kill(-child, SIGKILL);
  }
  kill(-child, SIGKILL);
  return status;
}

enum class Ending { kPassed, kFailed, kSkipped };

Ending RunTest(const Test& test) {
  std::memset(report, 0, sizeof *report);
  MakeFolder(report->disk_folder, "/var/tmp");
  MakeFolder(report->memory_folder, "/dev/shm");
  const auto started = std::chrono::steady_clock::now();
  const int status = RunInProcess(test);
  RemoveFolder(report->disk_folder);
  RemoveFolder(report->memory_folder);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kSkipped) {
    printf("  - %s (skipped: %s)\n", test.title, report->missing);
    return Ending::kSkipped;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    printf("  ok %s (%.1f s)\n", test.title, took.count());
    return Ending::kPassed;
  }
  printf("  FAILED %s: %s, SEED=%llu\n", test.title,
         WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "a check", (unsigned long long)seed);
  return Ending::kFailed;
}

int RunAll(const char* part_of_title) {
  unsigned counts[3] = {};
  for (const Test& test : AllTests()) {
    if (!strstr(test.title, part_of_title)) continue;
    ++counts[static_cast<int>(RunTest(test))];
    if (asked_to_end) return 130;
  }
  // Whoever adds up several programs wants the numbers alone.
  const char* path = getenv("COUNTS");
  FILE* out = path ? fopen(path, "w") : stdout;
  if (!out) return 1;
  fprintf(out, path ? "%u %u %u\n" : "%u passed, %u failed, %u skipped\n", counts[0], counts[1],
          counts[2]);
  if (path) fclose(out);
  return counts[0] + counts[2] == 0 || counts[1] != 0;
}

}  // namespace

void FailTest(const char* file, int line, const std::string& what) {
  fprintf(stderr, "%s:%d: failed: %s\n", file, line, what.c_str());
  _exit(1);
}

void SkipTest(const std::string& missing) {
  snprintf(report->missing, sizeof report->missing, "%s", missing.c_str());
  _exit(kSkipped);
}

std::string DiskFolder() {
  CHECK(report->disk_folder[0] != 0);
  return report->disk_folder;
}

std::string MemoryFolder() {
  CHECK(report->memory_folder[0] != 0);
  return report->memory_folder;
}

std::mt19937_64 SeededRandom() { return std::mt19937_64(seed + streams++); }

uint64_t Ops(uint64_t by_default) { return std::max<uint64_t>(by_default * ops_percent / 100, 1); }

int InChild(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace cloudvol::test

int main(int count, char** arguments) {
  using namespace cloudvol::test;
  void* shared =
      mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 1;
  report = static_cast<Report*>(shared);
  seed = FromEnvironment("SEED", std::random_device()());
  ops_percent = FromEnvironment("OPS", 100);
  EnterOwnMountNamespace();
  struct sigaction on_end = {};
  on_end.sa_handler = [](int) { asked_to_end = 1; };
  sigaction(SIGINT, &on_end, nullptr);
  sigaction(SIGTERM, &on_end, nullptr);
  return RunAll(count > 1 ? arguments[1] : "");
}
