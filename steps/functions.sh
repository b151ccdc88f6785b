# shellcheck shell=bash
# Sourced by the steps, under their `set -euo pipefail`: what they all do. $0 is the step.

require() {  # <what makes them> <file>...: each file must exist and not be empty
  local mend=$1 file
  shift
  for file in "$@"; do
    if [ ! -s "$file" ]; then
      echo "$(basename "$0"): $file is missing or empty; $mend" >&2
      exit 1
    fi
  done
}

need_arguments() {  # <n>|<n>+ <given>: prints the step's help and ends it if the number of arguments is wrong
  if [ "$2" -lt "${1%+}" ] || { [ "${1%+}" = "$1" ] && [ "$2" -gt "$1" ]; }; then
    echo "${help_message:?}" >&2
    exit 1
  fi
}

split_for_jobs() {  # <table> <prefix>: writes <prefix>.1 ... <prefix>.$nj
  # Sets total (lines of the table), nj (at most total) and parts (the files).
  local job
  total=$(wc -l < "$1")
  if [ "$nj" -gt "$total" ]; then nj=$total; fi
  parts=()
  for ((job = 1; job <= nj; job++)); do parts+=("$2.$job"); done
  utils/split_scp.pl "$1" "${parts[@]}"
}

join_parts() {  # <prefix> <suffix> <output>: joins the files of the jobs, in order; the output is whole or the old one
  local job
  for ((job = 1; job <= nj; job++)); do cat "$1.$job$2"; done > "$3.partial"
  mv "$3.partial" "$3"
}

publish_embeddings() {  # <what> <table-in> <max-loss> <building> <out>: joins and counts the jobs' vectors
  # They move from <building> to <out>: embedding.scp, its archives and embedding.scp.dropped. What was there goes.
  join_parts "$4/embedding" .scp "$4/joined.scp"
  utils/check_counts.py --what "$1" --in "$2" --out "$4/joined.scp" --reason-log "$5/log/extract.*.log" --max-loss "$3"
  sed "s#$4/#$5/#" "$4/joined.scp" > "$4/embedding.scp"
  rm -f "$5"/embedding.*
  mv "$4"/embedding.*.ark "$4/embedding.scp" "$5/"
  if [ -e "$4/joined.scp.dropped" ]; then mv "$4/joined.scp.dropped" "$5/embedding.scp.dropped"; fi
}

data_state() {  # <scp>...: prints the tables' hashes, and size and time of each archive that they name
  # Features that are made again have other archives, although their tables may be equal. A table of pipes names none.
  local table
  for table in "$@"; do sha256sum < "$table"; done
  awk 'NF == 2 { sub(/(:[0-9]+)?(\[[^]]*\])?$/, "", $2); if (!($2 in seen)) { seen[$2]; print $2 } }' "$@" |
    xargs -r -d '\n' stat -L -c '%n %s %Y'
}

show_warnings() {  # <log>...: prints the commands' warnings on stderr, at most five lines per log
  local log count
  for log in "$@"; do
    count=$(grep -c '^WARNING ' "$log" || true)
    if [ "$count" -gt 0 ]; then
      grep -m 5 '^WARNING ' "$log" | sed "s|^|$(basename "$0"): |" >&2
      if [ "$count" -gt 5 ]; then echo "$(basename "$0"): ... $count warnings in all: $log" >&2; fi
    fi
  done
}
