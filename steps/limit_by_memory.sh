# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154    # limited, and what is listed below, are the caller's
# Sourced by the steps of the i-vector row: run.pl starts no more jobs at once than the memory holds.
#
# Of the caller: cmd, nj, memory (in GB; empty: what /proc/meminfo says is available, on Linux).

limit_by_memory() {  # <label> <extractor> <diagonal UBM> <squares> <log>: sets limited, the option for run.pl
  # squares: arrays of (Gaussians, half a square of the vector) that the command holds: the model's, the statistics'.
  local runner=${cmd%% *} free=$memory each fit most
  limited=()
  if [ "${runner##*/}" != run.pl ]; then return; fi  # a cluster's runner has options of its own
  if [ -z "$free" ] && [ -r /proc/meminfo ]; then
    free=$(awk '$1 == "MemAvailable:" { print $2 * 1024 / 1e9 }' /proc/meminfo)
  fi
  if [ -z "$free" ]; then return; fi
  if ! [[ $free =~ ^[0-9]*\.?[0-9]+$ ]]; then
    echo "$(basename "$0"): --memory is $free; expected a number of GB" >&2
    exit 1
  fi
  each=$(job_gigabytes "$2" "$3" "$4" "$5")
  fit=$(awk -v free="$free" -v each="$each" 'BEGIN { n = int(free / each); print n < 1 ? 1 : n }')
  most=$(env -u OMP_NUM_THREADS nproc)  # run.pl's own limit: the cores, or all jobs if they are hardly more
  if [ $((10 * nj)) -lt $((14 * most)) ]; then most=$nj; fi
  if [ "$fit" -ge "$most" ]; then return; fi
  limited=(--max-jobs-run "$fit")
  echo "$1: $fit of $nj jobs at once: each takes about $(printf %.2f "$each") GB, $(printf %.2f "$free") GB are free"
}

job_gigabytes() {  # <extractor> <diagonal UBM> <squares> <log>: prints what one job takes
  # The file has the projections and the triangles of the inverse covariances in doubles. Numbers in memory are of 4
  # bytes; of 8 in real Kaldi. Projections: the model's of 8, their products, and the statistics.
  local bytes=4 program
  program=$(command -v ivector-extract)
  if [ "$program" != "$PIPELINE_ROOT/minikaldi/bin/ivector-extract" ]; then bytes=8; fi
  gmm-global-copy --binary=false "$2" - 2> "$4" |
    awk -v size="$(wc -c < "$1")" -v squares="$3" -v bytes="$bytes" '
      $1 == "<WEIGHTS>" { gauss = NF - 3 }
      $1 == "<MEANS_INVVARS>" { getline; dim = NF - ($NF == "]") }
      END {
        vector = size / (8 * gauss * dim) - (dim + 1) / 2
        total = squares * bytes * gauss * vector * (vector + 1) / 2
        total += (8 + squares * bytes) * gauss * dim * vector + 12 * squares * gauss * dim * dim
        printf "%.4f\n", total / 1e9 + 0.25
      }'
}
