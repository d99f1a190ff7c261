#!/usr/bin/env bash
# Gets everything that building and testing needs: the wasm32 target, two cargo tools, npm's packages.
# Safe to run again: what is there already is skipped.
source "$(dirname "$0")/lib/common.sh"

need cargo "install Rust $RUST_MIN or newer with rustup."
need cc "install a C compiler (Debian: apt-get install gcc libc6-dev)."
need node "install Node.js $NODE_MIN or newer."
need npm "install npm, which comes with Node.js."
printf 'v%s\n%s\n' "$NODE_MIN" "$(node -v)" | sort -C -V || die "Node.js $(node -v) is too old: install $NODE_MIN or newer."
printf '%s\n' "$RUST_MIN" "$(rustc --version | awk '{ print $2 }')" | sort -C -V || die "$(rustc --version) is too old: install Rust $RUST_MIN or newer (rustup update stable)."

mkdir -p .tools/log
if command -v flock >/dev/null; then
  exec 9>.tools/setup.lock
  flock 9 # two set-ups at once would trip over each other
fi

# step NAME "what it does (how long)" command …: runs the command with its output in a log, says so, and shows the log's end on failure.
step() {
  local log=.tools/log/$1.log began=$SECONDS
  echo "  $2 …"
  if ! "${@:3}" >"$log" 2>&1 </dev/null; then
    echo "FAILED: $2. The end of $log:" >&2
    tail -n 25 "$log" >&2
    return 1
  fi
  echo "  done: ${2%% (*} ($((SECONDS - began)) s)"
}

# --- npm's packages ---------------------------------------------------------------------------------------------------------------
npm_stamp() { cat package.json package-lock.json .npmrc | cksum; }
npm_done() { [ "$(cat node_modules/.stamp 2>/dev/null)" = "$(npm_stamp)" ]; }
npm_install() {
  # The packages ask for the Node that they bring along, so npm's own must not refuse to unpack them.
  PATH=$SYSTEM_PATH npm ci && npm_stamp >node_modules/.stamp
}

# --- the wasm32 target ------------------------------------------------------------------------------------------------------------
wasm_done() (
  wasm_env
  compgen -G "$(rustc --print target-libdir --target "$TARGET")/libstd-*.rlib" >/dev/null
)
limited() { if command -v timeout >/dev/null; then timeout "$@"; else "${@:2}"; fi; }
wasm_target() {
  echo "  Rust's wasm32 target, by rustup (1 min) …"
  if command -v rustup >/dev/null && limited 60 rustup target add "$TARGET" >.tools/log/wasm-rustup.log 2>&1 </dev/null && wasm_done; then return; fi
  step wasm-debian "rustup cannot fetch it here: Debian's Rust instead, with std built from its sources (3 min)" scripts/lib/debian-wasm.sh
}

# --- OpenSSL, which worker-build links against on Linux ---------------------------------------------------------------------------
openssl_done() { [ "$(uname)" != Linux ] || pkg-config --exists openssl 2>/dev/null; }
openssl_install() {
  if ! is_debian_root; then echo "Install pkg-config and the headers of OpenSSL (Debian: apt-get install pkg-config libssl-dev)."; return 1; fi
  apt_install pkg-config libssl-dev
}

# --- two cargo tools --------------------------------------------------------------------------------------------------------------
tool_done() { [ -x ".tools/bin/$3" ] && grep -q "^\"$1 $2 " .tools/.crates.toml; }
tool_install() {
  # Unoptimised: these tools run for a second or two, and optimising them takes twice as long. They share what they have in common.
  export CARGO_TARGET_DIR=$ROOT/.tools/target CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_STRIP=debuginfo
  local args=("$1@=$2" --bin "$3" --root .tools --force)
  cargo install --locked "${args[@]}" && return
  # A registry that holds back new releases may lack a version that the tool's lock file names: then let cargo choose.
  grep -q "failed to select a version" ".tools/log/$3.log" && cargo install "${args[@]}"
}

# --- all of it, side by side ------------------------------------------------------------------------------------------------------
WASM_BINDGEN=$(locked_wasm_bindgen)
npm_pid='' wasm_pid='' status=0
if ! npm_done; then
  step npm "npm packages: wrangler, workerd, binaryen, esbuild and others (1 min)" npm_install &
  npm_pid=$!
fi
if ! wasm_done; then
  wasm_target &
  wasm_pid=$!
fi
tool_done worker-build "$WORKER_BUILD" worker-build || {
  { openssl_done || step openssl "pkg-config and OpenSSL's headers, by apt-get (20 s)" openssl_install; } &&
  step worker-build "cargo install worker-build $WORKER_BUILD (2 min)" tool_install worker-build "$WORKER_BUILD" worker-build
} || status=1
tool_done wasm-bindgen-cli "$WASM_BINDGEN" wasm-bindgen ||
  step wasm-bindgen "cargo install wasm-bindgen-cli $WASM_BINDGEN (1 min)" tool_install wasm-bindgen-cli "$WASM_BINDGEN" wasm-bindgen || status=1
rm -rf .tools/target
if [ -n "$npm_pid" ]; then wait "$npm_pid" || status=1; fi
if [ -n "$wasm_pid" ]; then wait "$wasm_pid" || status=1; fi
[ "$status" = 0 ] || die "The set-up is not complete; run make setup again after mending the above."
