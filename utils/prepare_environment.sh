#!/usr/bin/env bash
# Makes sure that a Python with the packages the project needs is at hand, and says which in one line.
#
# A running Python that has the minimum versions (a cluster's CUDA build of torch, say) is used as it is. Otherwise .venv is
# made from the pinned requirements. An interrupted installation is taken up where it stopped.
set -euo pipefail

usage() {
  cat >&2 <<'EOF'
Usage: utils/prepare_environment.sh [--tests | --check]
  --tests   also what ./tests/run.sh and .ci/run need (tests/requirements.txt)
  --check   install nothing: say nothing and exit 0 where all is there, else exit 1
EOF
  exit 1
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
requirements=("$root/requirements.txt")
check=("$root/minikaldi/scripts/check_environment.py")
check_only=false
case "${1:-}" in
  "") ;;
  --check) check_only=true ;;
  --tests) requirements+=("$root/tests/requirements.txt"); check+=(--tests) ;;
  *) usage ;;
esac

if [ -e "$venv/.ready" ] && "$venv/bin/python3" "${check[@]}" --quiet; then
  if [ "$check_only" = true ]; then exit 0; fi
  echo "environment: .venv ($("$venv/bin/python3" --version))"
  exit 0
fi
if [ ! -e "$venv/.ready" ] && python3 "${check[@]}" --quiet; then
  if [ "$check_only" = true ]; then exit 0; fi
  echo "environment: $(command -v python3) as it is; it has every package at its minimum version"
  exit 0
fi

if [ "$check_only" = true ]; then exit 1; fi
command -v python3 >/dev/null || { echo "prepare_environment.sh: no python3 on PATH; install Python 3.10 or newer" >&2; exit 1; }
venv_options=()
if python3 "$root/minikaldi/scripts/check_environment.py" --quiet; then
  venv_options=(--system-site-packages)   # only the test tools are missing: keep the torch that is there
fi
echo "environment: making .venv from ${requirements[*]#"$root"/} (1 to 3 minutes and 1.3 GB with a CPU torch; the CUDA build is several GB)"
started=$SECONDS
rm -f "$venv/.ready"
if [ ! -x "$venv/bin/pip" ]; then
  python3 -m venv "${venv_options[@]}" "$venv" || {
    echo "prepare_environment.sh: python3 -m venv failed; on Debian or Ubuntu: apt-get install python3-venv" >&2
    exit 1
  }
fi
install=()
for file in "${requirements[@]}"; do install+=(-r "$file"); done
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-warn-conflicts "${install[@]}" 2> "$venv/pip.log" || {
  tail -n 20 "$venv/pip.log" >&2
  echo "prepare_environment.sh: pip could not install ${requirements[*]#"$root"/} (log: .venv/pip.log); mend that and run again" >&2
  exit 1
}
"$venv/bin/python3" "${check[@]}"
touch "$venv/.ready"
echo "environment: .venv made in $((SECONDS - started)) s, $(du -sh "$venv" | cut -f1)"
