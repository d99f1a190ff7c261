#!/usr/bin/env bash
# Formatting, lints and documentation, each natively and for wasm32; any warning fails.
source "$(dirname "$0")/lib/common.sh"

echo "== rustfmt"
cargo fmt --check
echo "== clippy, native, all targets"
cargo clippy --locked --all-targets -- -D warnings
echo "== clippy, wasm32"
(wasm_env && cargo clippy --locked --target "$TARGET" -- -D warnings)
echo "== rustdoc"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
