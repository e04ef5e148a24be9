#!/bin/sh
# Installs what the tests need beyond `npm ci`: Debian packages. Does nothing where all is there.
set -eu

# tool or file that a test looks for = package that has it
needed='
fio=fio
mkfs.ext4=e2fsprogs
e2fsck=e2fsprogs
mkfs.xfs=xfsprogs
losetup=util-linux
mount=mount
qemu-img=qemu-utils
cmp=diffutils
setfattr=attr
g++=g++
make=make
openssl=openssl
radosgw=radosgw
ceph-mon=ceph-mon
ceph-osd=ceph-osd
ceph=ceph-common
/usr/lib/python3/dist-packages/swift/common/middleware/s3api/s3api.py=python3-swift
'
# Servers that are no Debian packages go where test/support/servers/cache-folder.ts looks for them.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cloudvol-test
azurite=3.37.0

install_azurite() {
  folder=$cache/azurite-$azurite
  [ ! -e "$folder/node_modules/azurite/package.json" ] || return 0
  echo "test:deps: installing azurite $azurite"
  # Aside first: what was cut off must not look installed.
  rm -rf "$folder.part"
  mkdir -p "$folder.part"
  npm install --prefix "$folder.part" --no-audit --no-fund --no-save --ignore-scripts \
    "azurite@$azurite"
  rm -rf "$folder"
  mv "$folder.part" "$folder"
}
install_azurite

# Without Go nothing is said here: the tests that need it say so.
fake_gcs_server=1.56.1
install_fake_gcs_server() {
  folder=$cache/fake-gcs-server-$fake_gcs_server
  [ ! -x "$folder/fake-gcs-server" ] || return 0
  PATH=$PATH:/usr/local/go/bin
  command -v go >/dev/null 2>&1 || return 0
  echo "test:deps: building fake-gcs-server $fake_gcs_server"
  mkdir -p "$folder.part"
  GOBIN=$folder.part CGO_ENABLED=0 \
    go install "github.com/fsouza/fake-gcs-server@v$fake_gcs_server"
  rm -rf "$folder"
  mv "$folder.part" "$folder"
}
install_fake_gcs_server

# Another package run may hold the lock for a while: unattended upgrades on a fresh machine do.
lock_seconds=300

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
packages=
for line in $needed; do
  case $line in
    /*) [ ! -e "${line%%=*}" ] || continue ;;
    *) command -v "${line%%=*}" >/dev/null 2>&1 && continue ;;
  esac
  packages="$packages ${line#*=}"
done
if [ -z "$packages" ]; then
  echo "test:deps: everything is installed"
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "test:deps: this host has no apt-get; install these by hand:$packages" >&2
  exit 69
fi
if [ "$(id -u)" != 0 ]; then
  echo "test:deps: run this as root, it installs packages:$packages" >&2
  exit 77
fi
export DEBIAN_FRONTEND=noninteractive
echo "test:deps: installing$packages"
apt-get -q -o DPkg::Lock::Timeout=$lock_seconds update
# shellcheck disable=SC2086 # one word per package
apt-get -q -y -o DPkg::Lock::Timeout=$lock_seconds install --no-install-recommends $packages
