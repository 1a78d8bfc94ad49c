#!/bin/sh
# `npm run check`: types, lint and format, tests. All always run, so that one run tells everything.
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh

failed=
node_modules/.bin/tsc --noEmit || failed="$failed types"
node_modules/.bin/tsc --noEmit -p page || failed="$failed types-of-page"
node_modules/.bin/biome check || failed="$failed lint"
sh scripts/test.sh || failed="$failed tests"
[ -z "$failed" ] || {
  say "failed:$failed"
  exit 1
}
say 'types, lint and tests are well'
