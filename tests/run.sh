#!/usr/bin/env bash
# The tests: the fast ones, or all of them with --all. Further arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-}" in
  -h | --help)
    echo "Usage: tests/run.sh [--all] [pytest options]   e.g.: tests/run.sh -k plda" >&2
    exit 0 ;;
esac
utils/prepare_environment.sh --tests
. ./path.sh
exec python3 -m pytest "$@"
