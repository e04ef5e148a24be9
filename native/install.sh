#!/bin/sh
# npm's install step: builds the addon unless one loads already, and says what is missing when it cannot.
set -u
root=$(dirname "$(dirname "$(readlink -f "$0")")")
arch=$(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')

if [ "$(uname -s)" != Linux ]; then
  echo "cloudvol: runs on Linux only" >&2
  exit 1
fi
# During `npm ci` the packaged Node is there already: install scripts run after every package is unpacked.
for addon in "$root/prebuilds/linux-$arch/cloudvol.node" "$root/native/build/cloudvol.node"; do
  # A build of one's own is made again when a source is newer than it (make decides).
  [ "$addon" = "$root/native/build/cloudvol.node" ] && [ -d "$root/src" ] && break
  [ -f "$addon" ] && "$root/bin/node" -e 'require(process.argv[1])' "$addon" 2>/dev/null && exit 0
done

missing=
for tool in "${CXX:-g++}" make; do
  command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -n "$missing" ]; then
  echo "cloudvol: the native addon has to be built, but this is missing:$missing" >&2
  echo "cloudvol: install it (Debian: apt-get install g++ make) and run 'npm ci' again" >&2
  exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! make -C "$root/native" -j2 >"$log" 2>&1; then
  cat "$log" >&2
  echo "cloudvol: the native addon did not compile; the compiler's words are above" >&2
  exit 1
fi
exec "$root/bin/node" -e 'require(process.argv[1])' "$root/native/build/cloudvol.node"
