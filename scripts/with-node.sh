#!/usr/bin/env bash
# Runs one of our Node scripts with the Node that setup.sh installed.
source "$(dirname "$0")/lib/common.sh"
exec node "$@"
