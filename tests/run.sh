#!/usr/bin/env bash
# The tests: the fast ones, or all of them with --all. Further arguments go to pytest.
#
# One process for each core runs tests. A test that crashes its process (a segmentation fault in a library, say) is
# reported by name as a failure, and another process goes on with the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-}" in
  -h | --help)
    cat >&2 <<'USAGE'
Usage: tests/run.sh [--all] [pytest options]   e.g.: tests/run.sh -k plda
  --all    the slow tests too
  -n N     processes (default: one for each core, at most 8); -n 0 runs all in one, as --pdb needs
USAGE
    exit 0 ;;
esac
utils/prepare_environment.sh --tests
. ./path.sh
exec python3 -m pytest -n "$((PIPELINE_CORES < 8 ? PIPELINE_CORES : 8))" --dist worksteal "$@"
