#!/usr/bin/env bash
# Fuzzes each reader of a wire format for MINUTES (10), one after the other; arguments are targets to run instead of all. With
# MINUTES=0 it only runs what is kept. It begins with the dialects' fixtures and with what is kept in fuzz/corpus, which is what
# covers something, and what failed once; what it finds is left in fuzz/target/found for the next time, what fails now in
# fuzz/artifacts. KEEP=1 packs all that into fuzz/corpus anew.
source "$(dirname "$0")/lib/common.sh"

# The coverage that a fuzzer steers by is a flag of the compiler that a stable one hides.
export RUSTC_BOOTSTRAP=1
if ! [ -x .tools/bin/cargo-fuzz ] || [ "$(.tools/bin/cargo-fuzz --version)" != "cargo-fuzz $CARGO_FUZZ" ]; then
  need c++ "install a C++ compiler (Debian: apt-get install g++)."
  echo "  cargo install cargo-fuzz $CARGO_FUZZ (1 min) …"
  cargo install --quiet --locked "cargo-fuzz@=$CARGO_FUZZ" --root .tools --force
fi
fuzz() { .tools/bin/cargo-fuzz fuzz "$@"; }

keep() { # packs the fewest of what was found that cover as much
  local chosen
  chosen=$(mktemp -d)
  mkdir "$chosen/$target"
  fuzz run --sanitizer none "$target" "$chosen/$target" "$found" -- -merge=1 -use_counters=0
  find "$found" "fuzz/artifacts/$target" -name 'crash-*' -exec cp {} "$chosen/$target" \; # they hold now, and are to hold
  tar --sort=name --mtime=2026-01-01 --owner=0 --group=0 --numeric-owner -C "$chosen" -c "$target" | gzip -9n >"$kept"
  rm -r "$chosen"
}

targets=("$@")
if [ $# = 0 ]; then mapfile -t targets < <(fuzz list); fi
span=(-max_total_time=$((${MINUTES:-10} * 60)))
if [ "${MINUTES:-10}" = 0 ]; then span=(-runs=0); fi
failed=()
for target in "${targets[@]}"; do
  echo "== $target"
  found=fuzz/target/found/$target kept=fuzz/corpus/$target.tar.gz
  mkdir -p "$found"
  if [ -f "$kept" ]; then tar -xzf "$kept" -C fuzz/target/found; fi
  seeds=("$found")
  if [ -d "tests/fixtures/chat/${target%_*}" ]; then seeds+=("tests/fixtures/chat/${target%_*}"); fi
  fuzz run --sanitizer none "$target" "${seeds[@]}" -- "${span[@]}" -max_len=4096 -print_final_stats=1 || failed+=("$target")
  if [ -n "${KEEP:-}" ]; then keep; fi
done
[ ${#failed[@]} = 0 ] || die "Failed: ${failed[*]}; see above, and fuzz/artifacts."
