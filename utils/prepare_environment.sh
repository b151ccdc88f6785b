#!/usr/bin/env bash
# Makes sure that there is a Python with the packages that the project needs, and prints which one in one line.
#
# A running Python that has the minimum versions (a cluster's CUDA build of torch, say) is used as it is; nothing is
# ever installed into it. Otherwise .venv is made from the pinned requirements. An interrupted installation is resumed.
set -euo pipefail

usage() {
  cat >&2 <<'EOF'
Usage: utils/prepare_environment.sh [--tests | --check]
  --tests   also what ./tests/run.sh and .ci/run need (tests/requirements.txt); if the running Python has all but
            that, .venv gets the test tools alone and sees its other packages
  --check   install nothing: say nothing and exit 0 if all is there, else exit 1
EOF
  exit 1
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
tests=false requirements=("$root/requirements.txt")
check=("$root/recipe/environment.py")
check_only=false
case "${1:-}" in
  "") ;;
  --check) check_only=true ;;
  --tests) tests=true requirements+=("$root/tests/requirements.txt"); check+=(--tests) ;;
  *) usage ;;
esac
prefix() { realpath "$("$1" -c 'import sys; print(sys.prefix)')"; }          # <python>: the environment that it is of
release() { "$1" -c 'import sys; print(*sys.version_info[:2])'; }           # <python>: packages serve one release alone

if [ -e "$venv/.ready" ] && "$venv/bin/python3" "${check[@]}" --quiet; then
  if [ "$check_only" = true ]; then exit 0; fi
  echo "environment: .venv ($("$venv/bin/python3" --version))"
  exit 0
fi
# A .venv that lacks something (e.g. the packages that were lent to it are gone) is replaced by a complete running Python.
if [ "$check_only" = false ] && [ -e "$venv/.ready" ] && [ "$(prefix python3)" != "$(realpath -m "$venv")" ] &&
  python3 "${check[@]}" --quiet; then
  rm "$venv/.ready"
fi
if [ ! -e "$venv/.ready" ] && python3 "${check[@]}" --quiet; then
  if [ "$check_only" = true ]; then exit 0; fi
  echo "environment: $(command -v python3) as it is; it has every package at its minimum version"
  exit 0
fi

if [ "$check_only" = true ]; then exit 1; fi
command -v python3 >/dev/null || {
  echo "prepare_environment.sh: no python3 on PATH; install Python 3.10 or newer" >&2
  exit 1
}

# If only the test tools are missing, nothing else is installed: not if .venv has the rest, nor if the running
# Python (an active environment, say) has it. Its packages are then lent to .venv by a .pth file, and its own folders
# are left as they are.
missing=all
if [ "$tests" = true ]; then
  if [ -e "$venv/.ready" ] && "$venv/bin/python3" "${check[0]}" --quiet; then
    missing=tools
  elif [ "$(prefix python3)" != "$(realpath -m "$venv")" ] && python3 "${check[0]}" --quiet; then
    missing=tools-beside-running
  fi
fi
needs="1 to 3 minutes and 1.2 to 1.4 GB with a CPU torch; the CUDA build is several GB"
if [ "$missing" != all ]; then requirements=("$root/tests/requirements.txt") needs="half a minute and 200 MB"; fi
if [ "$missing" = tools-beside-running ]; then
  needs+="; the other packages are those of $(command -v python3), which stays as it is"
fi
echo "environment: making .venv from ${requirements[*]#"$root"/} ($needs)"
started=$SECONDS
rm -f "$venv/.ready"
if [ "$missing" = tools-beside-running ] && [ -x "$venv/bin/python3" ]; then
  # What an earlier installation left may be of another Python than the one whose packages are used.
  if [ "$(release "$venv/bin/python3")" != "$(release python3)" ]; then rm -rf "$venv"; fi
fi
if ! [ -x "$venv/bin/python3" ] || ! [ -x "$venv/bin/pip" ]; then
  python3 -m venv "$venv" || {
    echo "prepare_environment.sh: python3 -m venv failed; on Debian or Ubuntu: apt-get install python3-venv" >&2
    exit 1
  }
fi
lent_packages=$("$venv/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/lent_packages.pth
case $missing in
  all) rm -f "$lent_packages" ;;             # of an environment that lacks something, or is gone
  tools-beside-running) python3 "${check[0]}" --lend-to "$venv" > "$lent_packages" ;;
esac
install=()
for file in "${requirements[@]}"; do install+=(-r "$file"); done
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-warn-conflicts "${install[@]}" 2> "$venv/pip.log" || {
  tail -n 20 "$venv/pip.log" >&2
  echo "prepare_environment.sh: pip could not install ${requirements[*]#"$root"/} (log: .venv/pip.log);" \
    "fix that and run again" >&2
  exit 1
}
"$venv/bin/python3" "${check[@]}"
touch "$venv/.ready"
echo "environment: .venv made in $((SECONDS - started)) s, $(du -sh "$venv" | cut -f1)"
