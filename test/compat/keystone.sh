#!/bin/sh
# Pumice behind Debian's own Keystone: installs it (as root) where it is not, and runs test/compat/real-keystone.ts against it.
#
# Not part of `npm test`, which needs nothing but the machine. Keystone runs for the test alone, on a free port of loopback,
# with a database in a temporary directory; no service of the system is configured or started.
set -eu
cd "$(dirname "$0")/../.."
. scripts/bootstrap.sh

if ! command -v keystone-manage >/dev/null; then
  packages='keystone python3-openstackclient python3-cinderclient'
  if [ "$(id -u)" != 0 ]; then
    echo "Keystone is not installed; as root: apt-get install --no-install-recommends $packages" >&2
    exit 1
  fi
  echo "Installing $packages"
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
fi
exec node --test --test-timeout=300000 "$@" test/compat/real-keystone.ts
