#!/usr/bin/env bash
# End-to-end tests on the built Worker in workerd: node's test runner over tests/ and bench/, one file at a time, and then the
# official Python SDK if tests/sdk has a Python test. Arguments are test files to run instead of all.
source "$(dirname "$0")/lib/common.sh"
shopt -s nullglob

files=("$@")
if [ $# = 0 ]; then files=(tests/provider/*.test.mjs bench/*.test.mjs tests/workerd/*.test.mjs tests/http/*.test.mjs tests/sdk/*.test.mjs); fi
if [ ${#files[@]} -gt 0 ]; then node --test --test-concurrency=1 "${files[@]}"; else echo "no tests/**/*.test.mjs"; fi

python_tests=(tests/sdk/*.py)
if [ $# -gt 0 ] || [ ${#python_tests[@]} = 0 ]; then exit 0; fi
python=.tools/python/bin/python
if ! "$python" -c "import openai; assert openai.__version__ == '$PYTHON_OPENAI'" 2>/dev/null; then
  echo "  installing the Python SDK openai $PYTHON_OPENAI (1 min) …"
  if ! python3 -m venv --clear .tools/python >/dev/null 2>&1; then
    is_debian_root || die "Python 3 with venv is missing: install it (Debian: apt-get install python3-venv)."
    apt_install python3-venv >.tools/log/python.log 2>&1 ||
      die "Python 3 with venv is missing and apt-get could not install it; see .tools/log/python.log."
    python3 -m venv --clear .tools/python
  fi
  "$python" -m pip install --quiet --disable-pip-version-check "openai==$PYTHON_OPENAI"
fi
for test in "${python_tests[@]}"; do
  echo "== $test"
  "$python" "$test"
done
