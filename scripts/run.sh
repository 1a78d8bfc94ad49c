#!/bin/sh
# Runs a TypeScript file of the checkout with the Node it needs: scripts/run.sh FILE [argument…]
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
case "$1" in
  scripts/*) ;;
  *) need_programs qemu-img:qemu-utils ;;
esac
exec node "$@"
