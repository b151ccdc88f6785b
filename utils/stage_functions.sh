# shellcheck shell=bash
# Sourced by pipeline.sh: which stages run, which are up to date, what is written down about them.
#
#   if stage 4 "$feats" "train_combined -> train_combined_no_sil" --input … --option k=v --output …; then
#     steps/…
#     stage_done
#   fi
#
# Reads the variables first_stage, last_stage, force, dry_run, trust_earlier.
# A marker <dir>/.stages/<n>.json holds the fingerprints of inputs and outputs and the options of the stage's last complete run.

log() { echo "$(date '+%H:%M:%S') $*" >&2; }

die() { echo "pipeline.sh: $*" >&2; exit 1; }

_stage_number='' _stage_marker='' _stage_started=0
_stage_facts=()

stage() {  # <n> <dir that holds the marker> <title> [--input P | --output P | --option k=v]...: 0 where the stage is to run
  _stage_number=$1 _stage_marker=$2/.stages/$1.json
  local title=$3 why status=0
  shift 3
  _stage_facts=("$@")
  if [ "$_stage_number" -gt "$last_stage" ]; then return 1; fi
  if [ "$dry_run" = true ]; then
    describe_stage "$title"
    return 1
  fi
  why=$(utils/stage_marker.py check "$_stage_marker" "${_stage_facts[@]}") || status=$?
  if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then die "stage $_stage_number: utils/stage_marker.py failed (exit $status)"; fi
  if [ "$_stage_number" -lt "$first_stage" ]; then
    if [ "$status" -eq 3 ] && [ "$trust_earlier" != true ]; then
      die "--stage $first_stage needs stage $_stage_number, which is not up to date: $why
  run from --stage $_stage_number, or, if these files are yours and meant to be used as they are, add --trust-earlier"
    fi
    return 1
  fi
  if [ "$status" -eq 0 ] && [ "$force" != true ]; then
    log "stage $_stage_number: $title: up to date"
    return 1
  fi
  log "stage $_stage_number/12: $title${why:+ ($why)}"
  _stage_started=$SECONDS
}

stage_done() {  # record that the stage that was begun is complete
  mkdir -p "$(dirname "$_stage_marker")"
  utils/stage_marker.py write "$_stage_marker" "${_stage_facts[@]}" --seconds $((SECONDS - _stage_started))
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
        if [ -e "$path" ]; then size=$(du -sh "$path" | cut -f1); fi
        printf '    %-7s %s (%s)\n' "${_stage_facts[i]#--}" "$path" "$size"
        ;;
    esac
  done
}
