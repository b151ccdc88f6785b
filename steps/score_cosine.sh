#!/usr/bin/env bash
# enrolment and test embeddings + trials -> cosine scores, after centring, with or without LDA and score normalisation.
set -euo pipefail

cmd=utils/run.pl
lda=false
cohort=""
help_message="Usage: steps/score_cosine.sh [options] <backend-dir> <enroll-dir> <test-embedding.scp> <trials> <scores>
 e.g.: steps/score_cosine.sh --lda true exp/a/backend exp/a/enroll_test exp/a/embeddings_test/embedding.scp \\
         data/test/trials exp/a/scores/cosine
<trials>: lines \`enroll test target|nontarget\` or \`1|0 enroll test\`.
Options:
  --lda true|false   project by the back end's LDA before the cosine (default false)
  --cohort <scp>     embeddings of other speakers, e.g. exp/a/embeddings_train/spk_embedding.scp (or embedding.scp):
                     normalise the scores by each side's scores against its nearest 300 of them (AS-norm)
  --cmd <runner>     runs the job (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 5 $#
backend=$1 enroll=$2 test=$3 trials=$4 scores=$5
require "stages 8 to 10 make embeddings, models and back end, stage 0 the trials" \
  "$backend/mean.vec" "$enroll/spk_embedding.scp" "$test" "$trials"
options=(--mean "$backend/mean.vec")
if [ "$lda" = true ]; then options+=(--transform "$backend/transform.mat"); fi
if [ -n "$cohort" ]; then
  require "stage 8 makes the training embeddings, stage 9 the means of their speakers" "$cohort"
  options+=(--cohort "scp:$cohort")
fi
log=$(dirname "$scores")/log/$(basename "$scores").log
mkdir -p "$(dirname "$log")"
$cmd "$log" \
  python3 -m scoring.cosine "${options[@]}" "scp:$enroll/spk_embedding.scp" "scp:$test" "$trials" "$scores"
show_warnings "$log"
