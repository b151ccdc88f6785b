# shellcheck shell=bash disable=SC2154
# Sourced by pipeline.sh: which stages run, which are up to date, what is written down about them.
#
#   if stage 4 "$feats" "train_combined -> train_combined_no_sil" --input … --option k=v --output …; then
#     steps/…
#     stage_done
#   fi
#
# Reads the variables first_stage, last_stage, force, dry_run, trust_earlier, exp, passed_over: numbers of stages between
# blanks that have nothing to do, and run_facts: what utils/stage_times.py is to know of the run.
# A marker <dir>/.stages/<n>.json holds the fingerprints of inputs and outputs and the options of the stage's last complete run.

log() { echo "$(date '+%H:%M:%S') $*" >&2; }

quoted() {  # the words as a shell would read them again, each behind a blank
  local word
  for word in "$@"; do
    if ! [[ $word =~ ^[[:alnum:]._/+@%=:,~-]+$ ]]; then word="'${word//\'/\'\\\'\'}'"; fi
    printf ' %s' "$word"
  done
}
die() { echo "pipeline.sh: $*" >&2; exit 1; }

_stage_number='' _stage_marker='' _stage_stale='' _stage_started=0 _stage_cpu=0 _stage_lock='' _stage_writable=''
_stage_facts=() run_facts=()

stage() {  # <n>[/<marker>] <dir that holds the marker> <title> [--input P | --output P | --option k=v]...: 0 where the stage is to run
  _stage_number=${1%/*} _stage_marker=$2/.stages/${1#*/}.json        # 4/7: at the place of stage 4, what stage 7 would do
  local dir=$2 title=$3
  shift 3
  _stage_facts=("$@")
  if [ "$_stage_number" -gt "$last_stage" ] || [[ ${passed_over-} == *" $_stage_number "* ]]; then return 1; fi
  if [ "$dry_run" = true ]; then
    describe_stage "$title"
    return 1
  fi
  _check_stage
  if [ "$_stage_number" -lt "$first_stage" ]; then
    if [ -n "$_stage_stale" ] && [ "$trust_earlier" != true ]; then
      die "--stage $first_stage needs stage $_stage_number, which is not up to date: $_stage_stale
  run from --stage $_stage_number, or, if these files are yours and meant to be used as they are, add --trust-earlier"
    fi
    return 1
  fi
  if [ -n "$_stage_stale" ] || [ "$force" = true ]; then
    if _lock_stage "$dir"; then _check_stage; fi     # another run was at work here; it may have made what is wanted
  fi
  if [ -z "$_stage_stale" ] && [ "$force" != true ]; then
    log "stage $_stage_number: $title: up to date"
    return 1
  fi
  local left=''
  if [ "${#run_facts[@]}" -gt 0 ]; then left=$(utils/stage_times.py left "$dir" "$_stage_number" "${run_facts[@]}" --last "$last_stage") || true; fi
  log "stage $_stage_number/12: $title${_stage_stale:+ ($_stage_stale)}${left:+; $left}"
  rm -f "$_stage_marker"                           # from here on, until it is done, the stage is not complete
  _stage_started=$SECONDS
  _count_cpu
  _stage_cpu=$_cpu_now
}

_count_cpu() {  # into _cpu_now: CPU time of the processes that this one has waited for, in 1/100 s; "" where the system does not say
  local words
  _cpu_now=''
  if [ ! -r "/proc/$$/stat" ]; then return 0; fi
  read -ra words <<< "$(sed 's/.*) //' "/proc/$$/stat")"
  _cpu_now=$(((words[13] + words[14]) * 100 / $(getconf CLK_TCK)))
}

_check_stage() {  # into _stage_stale: why the stage is to run, or ""
  local status=0 gone=all            # tables whose files are looked for, before a job fails on them
  if [ "$_stage_number" -lt "$first_stage" ]; then
    if [ "$trust_earlier" = true ]; then gone=no; fi
  elif [ "$force" = true ]; then
    gone=inputs                      # the outputs are made again
  fi
  _stage_stale=$(utils/stage_marker.py check "$_stage_marker" "${_stage_facts[@]}" --gone "$gone") || status=$?
  if [ "$status" -eq 1 ]; then exit 1; fi          # it has said why
  if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then die "stage $_stage_number: utils/stage_marker.py failed (exit $status)"; fi
}

# <dir of a stage that is to run>: it, and the experiment of the stages to come. A stage that is up to date writes nothing.
_need_writable() {
  local places=(--data "$1")
  if [ "$1" = "${exp-}" ]; then places=(--exp "$1"); elif [ "$last_stage" -ge 6 ]; then places+=(--exp "${exp:-.}"); fi
  if [ "$_stage_writable" = "${places[*]}" ]; then return; fi
  utils/check_writable.py "${places[@]}" || exit 1
  _stage_writable=${places[*]}
}

_lock_stage() {  # <dir>: hold its lock, which every command of the stage inherits; 0 where it had to be waited for
  _need_writable "$1"
  mkdir -p "$1/.stages"
  if [ -n "$_stage_lock" ]; then exec {_stage_lock}>&-; fi
  exec {_stage_lock}>> "$1/.stages/lock"
  local waited=0 pid=$$
  if [ -n "${PIPELINE_RUN-}" ]; then pid=$PPID; fi     # the guard, which passes a signal on
  if ! flock --nonblock "$_stage_lock"; then
    log "stage $_stage_number: waiting for another run, or for what a killed one left, at work in $1
  $(_who_holds "$1")"
    flock "$_stage_lock"
    waited=1
  fi
  echo "pid $pid on $HOSTNAME since $(date '+%F %T') (run ${PIPELINE_RUN-})" > "$1/.stages/lock"
  [ "$waited" -eq 1 ]
}

_who_holds() {  # <dir>: the run that has its lock, and those of its processes that are at work on this machine
  local who run at_work worker=''
  who=$(< "$1/.stages/lock")
  run=${who##*(run }
  at_work=$(grep -lzsxF "PIPELINE_RUN=${run%)}" /proc/[0-9]*/environ | sed "s,/proc/\([0-9]*\)/.*,\1," | paste -sd ' ') || true
  if [ -s "$1/lock" ]; then worker=$(< "$1/lock"); fi
  echo "${who:-a run that has just begun}${at_work:+, its processes here: $at_work}${worker:+; $worker}"
  echo "  wait for its end, or end it with kill and the pid (training saves first)"
}

stage_done() {  # record that the stage that was begun is complete
  utils/stage_marker.py write "$_stage_marker" "${_stage_facts[@]}" --seconds $((SECONDS - _stage_started))
  _count_cpu
  local cpu=()
  if [ -n "$_cpu_now" ]; then cpu=(--cpu "$((_cpu_now - _stage_cpu))e-2"); fi
  utils/stage_times.py record "${_stage_marker%/.stages/*}" "$_stage_number" --seconds $((SECONDS - _stage_started)) "${cpu[@]}"
  : > "${_stage_marker%/*}/lock"                   # no line of one that has ended
  exec {_stage_lock}>&-
  _stage_lock=''
  log "stage $_stage_number/12: done in $((SECONDS - _stage_started)) s"
}

describe_stage() {  # <title>: what --dry-run says
  local i path size
  echo "stage $_stage_number: $1"
  for ((i = 0; i < ${#_stage_facts[@]}; i += 2)); do
    path=${_stage_facts[i + 1]}
    case ${_stage_facts[i]} in
      --option) echo "    option  $path" ;;
      *)
        size="not there yet"
        if [ -e "${path%/\*\*}" ]; then size=$(du -sh "${path%/\*\*}" | cut -f1); fi
        printf '    %-7s %s (%s)\n' "${_stage_facts[i]#--}" "$path" "$size"
        ;;
    esac
  done
}
