#!/usr/bin/env bash
# Everything that must hold: set-up, checks, Rust's tests, the build, end-to-end tests.
source "$(dirname "$0")/lib/common.sh"

scripts/setup.sh
scripts/check.sh
echo "== cargo test"
cargo test --locked
echo "== build"
scripts/build.sh
echo "== end to end"
scripts/e2e.sh
