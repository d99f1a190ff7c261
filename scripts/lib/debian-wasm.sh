#!/usr/bin/env bash
# The wasm32 target without rustup's server: Debian's Rust, with a std built once from Debian's sources (about 3 minutes).
source "$(dirname "$0")/common.sh"

if ! is_debian_root || ! command -v rustup >/dev/null; then
  die "rustup could not add the wasm32 target, and this is not Debian with rustup and root; add it by hand: rustup target add $TARGET"
fi

# shellcheck disable=SC2086 # a list of packages
apt_install $DEBIAN_RUST
rustup toolchain link debian /usr

export RUSTUP_TOOLCHAIN=debian CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$DEBIAN_WASM_LD
lib=$(rustc --print target-libdir --target "$TARGET")
if ! compgen -G "$lib/libstd-*.rlib" >/dev/null; then
  crate=$ROOT/.tools/std # an empty crate: only its dependency, std, is wanted
  rm -rf "$crate" && mkdir -p "$crate/src"
  printf '[package]\nname = "std-for-wasm"\nedition = "2021"\n[workspace]\n' >"$crate/Cargo.toml"
  echo '#![no_std]' >"$crate/src/lib.rs"
  # LTO needs the bitcode in the archives.
  (cd "$crate" && RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR=target \
    cargo build --release --target "$TARGET" -Zbuild-std=std,panic_abort)
  mkdir -p "$lib"
  find "$crate/target/$TARGET/release/deps" \( -name '*.rlib' -o -name '*.rmeta' \) ! -name '*std_for_wasm*' -exec cp {} "$lib" \;
  rm -rf "$crate"
fi
printf 'export RUSTUP_TOOLCHAIN=debian CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=%s\n' "$DEBIAN_WASM_LD" >"$ROOT/.tools/wasm.env"
