// Tests without a framework. A test is a process of its own (main.cc), so that one that crashes,
// hangs or leaves something behind costs nothing but itself.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace cloudvol::test {

struct Test {
  const char* title;
  void (*body)();
};

inline std::vector<Test>& AllTests() {
  static std::vector<Test> tests;
  return tests;
}

struct Registration {
  Registration(const char* title, void (*body)()) { AllTests().push_back({title, body}); }
};

// Ends the test as failed, from any thread.
[[noreturn]] void FailTest(const char* file, int line, const std::string& what);
// Ends the test as skipped; `missing` says what the machine lacks.
[[noreturn]] void SkipTest(const std::string& missing);

// An empty folder of the running test: on disk, or in memory. Removed when the test has ended,
// however it ends, with what is mounted in it.
std::string DiskFolder();
std::string MemoryFolder();

// SEED=: of every random choice; printed when a test fails. Each call gives another stream.
std::mt19937_64 SeededRandom();
// OPS=: how long random loops run, in per cent of what they do by default.
uint64_t Ops(uint64_t by_default);

// Below max, even where max is not a power of two.
inline uint64_t Below(std::mt19937_64& random, uint64_t max) { return random() % max; }

// A process that ends before its test does: the exit status that waitpid gives.
int InChild(const std::function<void()>& body);

}  // namespace cloudvol::test

#define CLOUDVOL_JOIN_(a, b) a##b
#define CLOUDVOL_JOIN(a, b) CLOUDVOL_JOIN_(a, b)

#define TEST(sentence)                                                             \
  static void CLOUDVOL_JOIN(Body, __LINE__)();                                     \
  static const cloudvol::test::Registration CLOUDVOL_JOIN(registration, __LINE__)( \
      sentence, CLOUDVOL_JOIN(Body, __LINE__));                                    \
  static void CLOUDVOL_JOIN(Body, __LINE__)()

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) cloudvol::test::FailTest(__FILE__, __LINE__, #condition); \
  } while (false)

#define CHECK_EQ(actual, wanted)                                                          \
  do {                                                                                    \
    const auto actual_value = (actual);                                                   \
    const decltype(actual_value) wanted_value = (wanted);                                 \
    if (actual_value != wanted_value) {                                                   \
      cloudvol::test::FailTest(__FILE__, __LINE__,                                        \
                               #actual " is " + std::to_string(actual_value) + ", not " + \
                                   std::to_string(wanted_value));                         \
    }                                                                                     \
  } while (false)

// A Failure with this errno value is thrown.
#define CHECK_FAILS(error_value, expression)     \
  do {                                           \
    int thrown = 0;                              \
    try {                                        \
      (void)(expression);                        \
    } catch (const cloudvol::Failure& failure) { \
      thrown = failure.error();                  \
    }                                            \
    CHECK_EQ(thrown, error_value);               \
  } while (false)
