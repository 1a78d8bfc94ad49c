#!/bin/sh
# Backups on Debian's own Swift behind Debian's own Keystone: installs them (as root) where they are not, and runs test/compat/real-swift.ts
# against them.
#
# Not part of `npm test`, which asks a Swift that knows its users itself: Keystone takes a minute to be there. All run for the test alone, on
# free ports of loopback, with their files in temporary directories; no service of the system is configured or started.
set -eu
cd "$(dirname "$0")/../.."
. scripts/bootstrap.sh

if ! command -v swift-proxy-server >/dev/null || ! command -v keystone-manage >/dev/null; then
  packages='swift-proxy swift-account swift-container swift-object memcached keystone'
  if [ "$(id -u)" != 0 ]; then
    echo "Swift or Keystone is not installed; as root: apt-get install --no-install-recommends $packages" >&2
    exit 1
  fi
  echo "Installing $packages"
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
fi
exec node --test --test-timeout=300000 "$@" test/compat/real-swift.ts
