# shellcheck shell=bash disable=SC2034
# Sourced by utils/stage_functions.sh: how a run begins, and how it asks recipe/calls.py for what is decided there.

plan='' dry_run=false times=''
exec 4>&1

begin_run() {  # "$@" of pipeline.sh: under the guard, in the checkout, with all packages -> the names of the plan
  local root python status=0
  root=$(dirname "$0")
  if [[ ${PIPELINE_RUN-} != "$PPID"-* ]]; then      # utils/guard.py runs this script, and leaves none of its processes
    for python in "$root/.venv/bin/python3" python3; do
      if command -v "$python" > /dev/null && "$python" -S -E -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        exec "$python" "$root/utils/guard.py" "$0" "$@"
      fi
    done
  fi
  export PIPELINE_CALLED_FROM=$PWD                  # paths on the command line are relative to it
  cd "$root" || exit
  ask start "$@" || status=$?
  if lacks_packages "$status"; then
    if [ "$status" -eq 127 ] && [[ " $* " =~ \ --dry-run(=true)?\  && ! " $* " =~ \ --dry-run\ false\  ]]; then
      dry_run=true                                  # no Python has read the words
    fi
    if [ "$dry_run" = true ]; then
      echo "pipeline.sh: packages are missing, and --dry-run installs none; run utils/prepare_environment.sh" >&2
      exit 1
    fi
    utils/prepare_environment.sh
    status=0
    ask start "$@" || status=$?
    if lacks_packages "$status"; then
      echo "pipeline.sh: packages are still missing after utils/prepare_environment.sh; run it to see why" >&2
      exit 1
    fi
  fi
  if [ "$status" -ne 0 ] || [ -z "$plan" ]; then exit "$status"; fi      # without a plan it was --help
  . ./path.sh
  . ./cmd.sh
  nj=${nj/#-/$PIPELINE_CORES}
}

lacks_packages() {  # <exit code>: ENVIRONMENT_LACKS of recipe/calls.py, or no Python; the user may have ended others
  [ "$1" -eq 3 ] || [ "$1" -eq 127 ]
}

ask() {  # <arguments of utils/recipe.py>: stores the names that it answers on descriptor 3, arrays too
  local python=python3 fields=() i=0 status=0
  if [ -e .venv/.ready ]; then python=.venv/bin/python3; fi
  mapfile -d '' -t fields < <("$python" utils/recipe.py "$@" 3>&1 >&4 <<< "$plan")
  wait "$!" || status=$?
  while [ "$i" -lt "${#fields[@]}" ]; do            # name, number of values ("-": a plain one), value ...
    if [ "${fields[i + 1]}" = - ]; then
      printf -v "${fields[i]}" %s "${fields[i + 2]}"
      i=$((i + 3))
    else
      local -n array=${fields[i]}
      array=("${fields[@]:i + 2:fields[i + 1]}")
      i=$((i + 2 + fields[i + 1]))
    fi
  done
  return "$status"
}
