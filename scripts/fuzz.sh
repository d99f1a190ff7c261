#!/usr/bin/env bash
# Fuzzes each reader of a wire format for MINUTES (10), one after the other; arguments are targets to run instead of all.
# It begins with the dialects' fixtures and with what failed once, which is kept in fuzz/corpus/<target>; what it finds
# interesting is left in fuzz/target/found for the next time, what fails now in fuzz/artifacts.
source "$(dirname "$0")/lib/common.sh"

# The coverage that a fuzzer steers by is a flag of the compiler that a stable one hides.
export RUSTC_BOOTSTRAP=1
if ! [ -x .tools/bin/cargo-fuzz ] || [ "$(.tools/bin/cargo-fuzz --version)" != "cargo-fuzz $CARGO_FUZZ" ]; then
  need c++ "install a C++ compiler (Debian: apt-get install g++)."
  echo "  cargo install cargo-fuzz $CARGO_FUZZ (1 min) …"
  cargo install --quiet --locked "cargo-fuzz@=$CARGO_FUZZ" --root .tools --force
fi
fuzz() { .tools/bin/cargo-fuzz fuzz "$@"; }

targets=("$@")
if [ $# = 0 ]; then mapfile -t targets < <(fuzz list); fi
seconds=$((${MINUTES:-10} * 60))
failed=()
for target in "${targets[@]}"; do
  echo "== $target"
  found=fuzz/target/found/$target
  mkdir -p "$found"
  seeds=("$found")
  for folder in "fuzz/corpus/$target" "tests/fixtures/chat/${target%_*}"; do
    if [ -d "$folder" ]; then seeds+=("$folder"); fi
  done
  fuzz run --sanitizer none "$target" "${seeds[@]}" -- -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 ||
    failed+=("$target")
done
[ ${#failed[@]} = 0 ] || die "Failed: ${failed[*]}; see above, and fuzz/artifacts."
