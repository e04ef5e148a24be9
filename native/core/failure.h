// What set-up and housekeeping calls throw; the I/O path returns errno values instead. The binding
// turns both into {code, errno, message}.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>

namespace cloudvol {

class Failure : public std::runtime_error {
 public:
  // `what_failed` names the call and the thing: "open /var/lib/x/data".
  Failure(int error, const std::string& what_failed)
      : std::runtime_error(what_failed), error_(error) {}
  int error() const { return error_; }

 private:
  const int error_;
};

[[noreturn]] inline void ThrowErrno(const std::string& what_failed) {
  throw Failure(errno, what_failed);
}

}  // namespace cloudvol
