#!/usr/bin/env bash
# End-to-end tests on the built Worker in workerd: node's test runner over tests/ and bench/, one file at a time, and then the
# official Python SDKs if tests/sdk has Python tests. Arguments are test files to run instead of all.
source "$(dirname "$0")/lib/common.sh"
shopt -s nullglob

# python_packages FOLDER PACKAGE==VERSION …: a virtual environment in .tools that has them.
python_packages() {
  local folder=.tools/$1 wanted="${*:2}"
  if [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
  echo "  installing $wanted for Python (1 min) …"
  if ! python3 -m venv --clear "$folder" >/dev/null 2>&1; then
    is_debian_root || die "Python 3 with venv is missing: install it (Debian: apt-get install python3-venv)."
    apt_install python3-venv >.tools/log/python.log 2>&1 ||
      die "Python 3 with venv is missing and apt-get could not install it; see .tools/log/python.log."
    python3 -m venv --clear "$folder"
  fi
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}"
  echo "$wanted" >"$folder/.stamp"
}

files=("$@")
if [ $# = 0 ]; then
  files=(tests/provider/*.test.mjs bench/*.test.mjs tests/workerd/*.test.mjs tests/http/*.test.mjs tests/sdk/*.test.mjs tests/upstream/*.test.mjs)
fi
case "${files[*]}" in *tests/upstream/litellm*) python_packages litellm "litellm[proxy]==$LITELLM" ;; esac
case "${files[*]}" in *tests/upstream/llamacpp*) python_packages llamacpp "xllamacpp==$XLLAMACPP" "gguf==$GGUF" ;; esac
# A file that hangs, or that leaves something open after a test has failed, ends too, and says which it was.
limits=(--test-timeout=600000 --test-force-exit)
if [ ${#files[@]} -gt 0 ]; then node --test --test-concurrency=1 "${limits[@]}" "${files[@]}"; else echo "no tests/**/*.test.mjs"; fi

python_tests=(tests/sdk/*_sdk.py)
if [ $# -gt 0 ] || [ ${#python_tests[@]} = 0 ]; then exit 0; fi
python_packages python "openai==$PYTHON_OPENAI" "anthropic==$PYTHON_ANTHROPIC" "google-genai==$PYTHON_GOOGLE_GENAI"
for test in "${python_tests[@]}"; do
  echo "== $test"
  .tools/python/bin/python "$test"
done
