# What every shell script here begins with: the project's root, the versions, the PATH, and a way to stop with one sentence.
# shellcheck shell=bash disable=SC1091,SC2034
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT"
source "$ROOT/tools.env"

TARGET=wasm32-unknown-unknown
SYSTEM_PATH=$PATH
# The Node of node_modules goes first: the tools need a newer one than many systems have.
export PATH="$ROOT/node_modules/.bin:$ROOT/.tools/bin:$PATH"
export WRANGLER_SEND_METRICS=false CLOUDFLARE_CF_FETCH_ENABLED=false

die() { echo "$*" >&2; exit 1; }

is_debian_root() { [ -f /etc/debian_version ] && [ "$(id -u)" = 0 ]; }

apt_install() { # one at a time
  (
    if command -v flock >/dev/null; then exec 7>.tools/apt.lock && flock 7; fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update && apt-get install -y --no-install-recommends "$@"
  )
}

need() { command -v "$1" >/dev/null || die "$1 is missing: $2"; }

# The version of wasm-bindgen that Cargo.lock names.
locked_wasm_bindgen() { awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[" ]/, ""); sub(/version=/, ""); print; exit }' Cargo.lock; }

# Sets the environment of every cargo call that builds for wasm32 (setup.sh writes the file only where rustup's target is missing).
wasm_env() {
  if [ -f .tools/wasm.env ]; then source .tools/wasm.env; fi
}
