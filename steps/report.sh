#!/usr/bin/env bash
# scores of all systems and test sets -> a table on the terminal and in <exp>/RESULTS.md, the figures in results.json
# and in the ledger, one line per system and test set; a page with tables and plots, <exp>/report/index.html.
set -euo pipefail

bootstrap=1000
seed=1
command=""
corpus=""
times="not known"
ledger=${PIPELINE_LEDGER-}
benchmark=${PIPELINE_BENCHMARK-}
others="normalised baseline baseline_cmvn"
help_message="Usage: steps/report.sh [options] <data> <exp-dir> <test>...
 e.g.: steps/report.sh data/mini exp/mini-xvector test
Options:
  --bootstrap <n>    resamples of the speakers for the intervals (default 1000)
  --seed <n>         random seed of the run, also of the resamples (default 1)
  --command <text>   command line of the run, for both pages
  --corpus <text>    name of the corpus, for the page with plots
  --times <text>     times of its stages, for the page
  --ledger <file>    the ledger of results (default \$PIPELINE_LEDGER, else results.jsonl beside <exp-dir>)
  --others <names>   the systems beside the experiment's own, directories in <exp-dir>
                     (default \"normalised baseline baseline_cmvn\")
  --benchmark <name> the benchmark run that it belongs to (default \$PIPELINE_BENCHMARK)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3+ $#
data=$1 exp=$2
shift 2
kinds=("PLDA=plda" "LDA, cosine=lda_cosine" "cosine=cosine" "cosine, AS-norm=cosine_asnorm")
network=$(basename "$exp")
systems=()
for name in "" $others; do
  case $name in
    "") title=$network ;;
    normalised) title=${network}ᴺ ;;
    baseline) title="MFCC statistics" ;;
    baseline_cmvn) title="MFCC statistics, CMVN" ;;
    *)
      echo "report.sh: --others has \"$name\"; expected names of normalised, baseline, baseline_cmvn" >&2
      exit 1
      ;;
  esac
  for kind in "${kinds[@]}"; do
    scores=$exp/${name:+$name/}scores
    for test in "$@"; do require "stage 11 makes it" "$scores/${test}_${kind#*=}"; done
    systems+=(--system "$title|${kind%%=*}=$scores/{test}_${kind#*=}")
  done
done
sets=()
for test in "$@"; do sets+=(--test-set "$test=$data/$test"); done
ledger=${ledger:-$(dirname "$exp")/results.jsonl}
commands=minikaldi
if [ -n "${KALDI_ROOT:-}" ]; then commands="$KALDI_ROOT where it has them, else minikaldi"; fi
if [ -s "$exp/plan.yaml" ]; then python3 -m recipe.stage_record "$exp"; fi
python3 -m scoring.report "${sets[@]}" "${systems[@]}" --num-resamples "$bootstrap" --seed "$seed" \
  --title "Results of $network" \
  --note "command=\`$command\`" --note "seed=$seed" --note "time=$times" --note "commands of Kaldi=$commands" \
  --note "date=$(date -u '+%Y-%m-%d')" --exp "$exp" --cores "$PIPELINE_CORES" \
  --out "$exp/RESULTS.md" --json "$exp/results.json" \
  --ledger "$ledger" --row "$network" --data "$data" --run-command "$command" --benchmark "$benchmark"
python3 -m scoring.report_page --exp "$exp" --data "$data" --tests "$@" --out "$exp/report" \
  --corpus "$corpus" --command "$command" --num-resamples "$bootstrap" --seed "$seed"
