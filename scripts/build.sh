#!/usr/bin/env bash
# Builds the Worker into build/ and says how big it is. Does nothing when the sources are those of the last build.
source "$(dirname "$0")/lib/common.sh"
scripts/setup.sh
wasm_env
export WASM_BINDGEN_BIN=$ROOT/.tools/bin/wasm-bindgen WASM_OPT_BIN=$ROOT/node_modules/.bin/wasm-opt ESBUILD_BIN=$ROOT/node_modules/.bin/esbuild

sources() { { find src build.rs scripts/build.sh .cargo Cargo.toml Cargo.lock tools.env -type f; find .tools -maxdepth 1 -name wasm.env; } | LC_ALL=C sort | xargs cksum | cksum; }

if command -v flock >/dev/null; then
  exec 8>.tools/build.lock
  flock 8
fi
now=$(sources)
if [ -f build/index_bg.wasm ] && [ "$(cat build/.stamp 2>/dev/null)" = "$now" ]; then exit 0; fi

RUST_BACKTRACE=0 worker-build --release
printf '%s\n' "$now" >build/.stamp
kib() { awk -v n="$1" 'BEGIN { printf "%.0f KiB", n / 1024 }'; }
echo "build/index_bg.wasm: $(kib "$(wc -c <build/index_bg.wasm)"), gzipped $(kib "$(gzip -9 <build/index_bg.wasm | wc -c)")"
