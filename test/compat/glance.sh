#!/bin/sh
# Volumes from the images of Debian's own Glance: installs it (as root) where it is not, and runs test/compat/real-glance.ts
# against it, with and without Debian's Keystone.
#
# Not part of `npm test`, which needs nothing but the machine. Both run for the test alone, on free ports of loopback, with
# their files in temporary directories; no service of the system is configured or started.
set -eu
cd "$(dirname "$0")/../.."
. scripts/bootstrap.sh

if ! command -v glance-manage >/dev/null || ! command -v keystone-manage >/dev/null; then
  packages='glance-api keystone'
  if [ "$(id -u)" != 0 ]; then
    echo "Glance or Keystone is not installed; as root: apt-get install --no-install-recommends $packages" >&2
    exit 1
  fi
  echo "Installing $packages"
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
fi
exec node --test --test-timeout=300000 "$@" test/compat/real-glance.ts
