#!/bin/sh
# `npm start`: brings what is missing, then runs the service; arguments are those of `pumice start`.
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
need_programs qemu-img:qemu-utils
need_bundle
exec bin/pumice start "$@"
