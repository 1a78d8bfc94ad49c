# Brings what is missing, says so in a line each, and is silent when nothing is: Node 24 into .node/, the packages of the
# lockfile into node_modules/, programs of the system with apt-get, and for who runs the service a bundle of it.
#
# To be sourced at the root of the checkout, by a plain sh, on a machine that has any Node from 20 on and npm:
#
#     . scripts/bootstrap.sh
#     need_programs qemu-img:qemu-utils
#     need_bundle
#
# Afterwards `node` is one that runs TypeScript. Only Node and npm are musts: a program that cannot be installed is named,
# with the line to type, and the work goes on without it.

NODE_WANTED=24.21.0

say() {
  printf 'pumice: %s\n' "$*" >&2
}

node_is_new_enough() {
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 24 || (a == 24 && b >= 11) ? 0 : 1)' 2>/dev/null
}

# A bare binary in a folder of its own, so that it never becomes a dependency.
bring_node() {
  PATH="$PWD/.node/node_modules/.bin:$PATH"
  export PATH
  node_is_new_enough && return
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=linux-x64 ;;
    Linux-aarch64) platform=linux-arm64 ;;
    *)
      say "Node 24.11 or newer is needed, and cannot be fetched for $(uname -s) on $(uname -m): install it from nodejs.org."
      exit 1
      ;;
  esac
  say "installing Node $NODE_WANTED into .node/ (this machine has $(node --version 2>/dev/null || echo none))"
  npm install --prefix .node --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
    "node-$platform@$NODE_WANTED" >&2
  hash -r
  node_is_new_enough || {
    say "Node in .node/ does not run."
    exit 1
  }
}

bring_packages() {
  [ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] && return
  say 'installing the packages of package-lock.json into node_modules/'
  npm ci --include=dev --no-audit --no-fund --loglevel=error >&2
}

# Of these very sources, as `bin/pumice` wants it. It only makes a start quicker and smaller, so the work goes on without.
need_bundle() {
  sha256sum -c .build/current/sources >/dev/null 2>&1 && return
  say 'making the bundle of the sources in .build/'
  node scripts/bundle.ts >&2 || say 'the bundle could not be made'
}

# need_programs PROGRAM:PACKAGE…
need_programs() {
  missing=
  for pair in "$@"; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
  done
  [ -z "$missing" ] && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing with apt-get:$missing"
    # shellcheck disable=SC2086 # a list of words
    install_system_packages $missing && return
    say "apt-get failed; going on without. Its last words:"
    tail -n 3 .node/apt-get.log >&2
  else
    say "going on without$missing. To have them, type: sudo apt-get install$missing"
  fi
}

# A fresh machine has no package lists, an old one has stale ones: both are cured by an update.
install_system_packages() {
  mkdir -p .node
  apt_install "$@" >.node/apt-get.log 2>&1 && return
  apt-get -o DPkg::Lock::Timeout=120 update >.node/apt-get.log 2>&1 && apt_install "$@" >>.node/apt-get.log 2>&1
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends "$@"
}

bring_node
bring_packages
