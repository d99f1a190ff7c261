#!/usr/bin/env bash
# What a deployment would upload, for each environment of wrangler.toml. Needs no account.
source "$(dirname "$0")/lib/common.sh"

scripts/build.sh # brings wrangler; its own [build] command then finds nothing to do
for environment in "" staging production; do
  echo "== ${environment:-development}"
  wrangler deploy --dry-run --env="$environment" --outdir ".wrangler/deploy/${environment:-development}"
done
