#!/usr/bin/env bash
# Makes sure that what RaftKv needs from the system is there.
#
#   tests/deps.sh run     what the program needs: librocksdb
#   tests/deps.sh test    that, and the tools of the tests
#
# As root it installs what is missing by apt, else it prints the one command that does and exits 2. When nothing is
# missing it says nothing and touches neither apt nor the network.
set -euo pipefail

have_command() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

# The library's name carries its version, so any version will do here; RaftKv.Storage checks at start that it fits.
# ROCKSDB_LIBRARY names a file of one's own.
have_rocksdb() {
  [ -n "${ROCKSDB_LIBRARY:-}" ] || { PATH="$PATH:/usr/sbin:/sbin" ldconfig -p | grep librocksdb.so >/dev/null; }
}

have_faketime() { compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null; }

# Debian 12 has librocksdb7.8, Ubuntu 24.04 librocksdb8.9, Debian 13 librocksdb9.10. Before the first apt-get update the
# names are unknown; librocksdb-dev exists everywhere and brings the right one.
rocksdb_package() {
  local name
  name=$(apt-cache pkgnames librocksdb 2>/dev/null | grep -E '^librocksdb[0-9]+\.[0-9]+(t64)?$' | sort -V | tail -n 1) || true
  echo "${name:-librocksdb-dev}"
}

missing_packages() {
  have_rocksdb || rocksdb_package
  [ "$1" = test ] || return 0
  have_command strace || echo strace
  have_command etcd || echo etcd-server
  have_command curl || echo curl
  have_command ip || echo iproute2
  have_command iptables || echo iptables
  have_faketime || echo libfaketime
  have_command chromium || have_command chromium-browser || echo chromium
  have_command mkfs.ext4 || echo e2fsprogs
}

main() {
  local what=${1:-} packages
  case "$what" in
    run | test) ;;
    *) echo "usage: tests/deps.sh run|test" >&2; exit 2 ;;
  esac

  if ! have_command dotnet; then
    echo "dotnet is missing: install the .NET 10 SDK, see https://dotnet.microsoft.com/download" >&2
    exit 2
  fi

  mapfile -t packages < <(missing_packages "$what")
  [ "${#packages[@]}" -gt 0 ] || exit 0

  if [ "$(id -u)" -ne 0 ]; then
    echo "missing: ${packages[*]}; install with: sudo apt-get update && sudo apt-get install -y ${packages[*]}" >&2
    exit 2
  fi
  install "$what"
}

install() {
  export DEBIAN_FRONTEND=noninteractive
  local packages
  apt-get update -q || true # Old lists may do.
  mapfile -t packages < <(missing_packages "$1") # Once more: the names are known now.
  echo "installing ${packages[*]}"
  apt-get install -y -q --no-install-recommends "${packages[@]}" </dev/null
  # The package starts a server of its own on port 2379, RaftKv's default; the tests start theirs when they need one.
  case " ${packages[*]} " in
    *" etcd-server "*) if [ -d /run/systemd/system ]; then systemctl disable --now etcd.service || true; fi ;;
  esac
}

main "$@"
