#!/bin/sh
# `npm run prove:mysql`: an import from MySQL itself, and the way back, by the tests that have MariaDB otherwise.
#
#     npm run prove:mysql                                        # all tests of test/import
#     npm run prove:mysql -- test/import/shut-out.test.ts
#
# Debian's releases have MariaDB alone; only its sid has MySQL. So its packages are unpacked (not installed) into .build/mysql, with all that they
# depend on, down to the C library, and run beside this system's. Which release that is, sid says; apt checks that it is Debian's.
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh

home=$PWD/.build/mysql
if [ ! -e "$home/whole" ]; then
  say 'unpacking the mysql-server-core of Debian sid into .build/mysql'
  rm -rf "$home"
  mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/packages"
  # As on a machine that has nothing, so that everything comes.
  : >"$home/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian/*$' || echo http://deb.debian.org/debian) sid main" >"$home/sources.list"
  apt() {
    program=$1
    shift
    "$program" -o "Dir::Etc::sourcelist=$home/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$home/lists" \
      -o "Dir::State::status=$home/status" -o "Dir::Cache=$home/cache" -o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@"
  }
  {
    apt apt-get update
    # What its scripts are for, and it runs without.
    wanted=$(apt apt-get --simulate install mysql-server-core | awk '$1 == "Inst" && $2 !~ /^(lib)?perl/ { print $2 }')
    # shellcheck disable=SC2086 # a list of words
    (cd "$home/packages" && apt apt-get download $wanted)
    for package in "$home"/packages/*.deb; do dpkg-deb -x "$package" "$home/root"; done
  } >"$home.log" 2>&1 || { tail -n 5 "$home.log" >&2; exit 1; }
  rm -rf "$home/lists" "$home/cache" "$home/packages"
  touch "$home/whole"
fi
MYSQL_ROOT=$home/root
export MYSQL_ROOT
"$MYSQL_ROOT/usr/lib64/ld-linux-x86-64.so.2" --library-path "$MYSQL_ROOT/usr/lib/x86_64-linux-gnu" "$MYSQL_ROOT/usr/sbin/mysqld" --no-defaults --version
[ $# -gt 0 ] || set -- test/import
exec npm test -- "$@"
