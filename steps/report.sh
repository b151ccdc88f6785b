#!/usr/bin/env bash
# scores of all systems and test sets -> a table on the terminal and in <exp>/RESULTS.md, the figures in results.json,
# and a page with tables and plots, <exp>/report/index.html.
set -euo pipefail

bootstrap=1000
seed=1
command=""
corpus=""
times="not known"
help_message="Usage: steps/report.sh [options] <data> <exp-dir> <test>...
 e.g.: steps/report.sh data/mini exp/mini-xvector test
Options:
  --bootstrap <n>    resamples of the speakers for the intervals (default 1000)
  --seed <n>         random seed of the run, also of the resamples (default 1)
  --command <text>   command line of the run, for both pages
  --corpus <text>    name of the corpus, for the page with plots
  --times <text>     times of its stages, for the page"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3+ $#
data=$1 exp=$2
shift 2
kinds=("PLDA=plda" "LDA, cosine=lda_cosine" "cosine=cosine" "cosine, AS-norm=cosine_asnorm")
sets=()
for test in "$@"; do
  for kind in "${kinds[@]##*=}"; do
    for system in "$exp" "$exp/baseline" "$exp/baseline_cmvn"; do
      if [ ! -s "$system/scores/${test}_$kind" ]; then
        echo "report.sh: $system/scores/${test}_$kind is missing or empty; stage 11 makes it" >&2
        exit 1
      fi
    done
  done
  sets+=(--test-set "$test=$data/$test")
done
network=$(basename "$exp")
systems=()
for row in "$network=$exp" "MFCC statistics=$exp/baseline" "MFCC statistics, CMVN=$exp/baseline_cmvn"; do
  for kind in "${kinds[@]}"; do
    systems+=(--system "${row%%=*}|${kind%%=*}=${row#*=}/scores/{test}_${kind#*=}")
  done
done
commands=minikaldi
if [ -n "${KALDI_ROOT:-}" ]; then commands="$KALDI_ROOT where it has them, else minikaldi"; fi
python3 -m scoring.report "${sets[@]}" "${systems[@]}" --num-resamples "$bootstrap" --seed "$seed" \
  --title "Results of $network" \
  --note "command=\`$command\`" --note "seed=$seed" --note "time=$times" --note "commands of Kaldi=$commands" \
  --note "date=$(date -u '+%Y-%m-%d')" --exp "$exp" --cores "$PIPELINE_CORES" \
  --out "$exp/RESULTS.md" --json "$exp/results.json"

if [ -s "$exp/plan.yaml" ]; then python3 -m recipe.stage_record "$exp"; fi
python3 -m scoring.report_page --exp "$exp" --data "$data" --tests "$@" --out "$exp/report" \
  --corpus "$corpus" --command "$command" --num-resamples "$bootstrap" --seed "$seed"
