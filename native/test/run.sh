#!/bin/sh
# Runs test programs, one after another; the last line of the output adds them up. A program that
# keeps no counts of its own (COUNTS) is one test; one that could not be built is skipped by name.
set -u
passed=0 failed=0 skipped=0
COUNTS=$(mktemp)
export COUNTS
trap 'rm -f "$COUNTS"' EXIT
trap 'exit 130' INT TERM

for program; do
  name=$(basename "$(dirname "$program")")/$(basename "$program")
  if [ ! -x "$program" ]; then
    echo "  - $name (skipped: libzstd.so.1 or libcrypto.so.3 is not installed)"
    skipped=$((skipped + 1))
    continue
  fi
  echo "$name"
  : >"$COUNTS"
  "$program" </dev/null 2>&1
  status=$?
  if read -r p f s <"$COUNTS"; then
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    [ "$status" = 0 ] || [ "$f" != 0 ] || failed=$((failed + 1))
  elif [ "$status" = 0 ]; then
    passed=$((passed + 1))
  else
    echo "  FAILED $name: status $status"
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
