#!/usr/bin/env bash
# enrolment and test embeddings + trials + back end -> PLDA log-likelihood ratios, one per trial.
set -euo pipefail

cmd=utils/run.pl
smoothing=0.0
help_message="Usage: steps/score_plda.sh [options] <backend-dir> <enroll-dir> <test-embedding.scp> <trials> <scores>
 e.g.: steps/score_plda.sh exp/a/backend exp/a/enroll_test exp/a/embeddings_test/embedding.scp \\
         data/test/trials exp/a/scores/plda
<enroll-dir> is made by steps/make_speaker_models.sh. A trial without a score is an error.
<trials>: lines \`enroll test target|nontarget\` or \`1|0 enroll test\`.
Options:
  --smoothing <x>   of ivector-copy-plda (default 0.0)
  --cmd <runner>    runs the job (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 5 $#
backend=$1 enroll=$2 test=$3 trials=$4 scores=$5
require "stages 8 to 10 make embeddings, models and back end, stage 0 the trials" \
  "$backend/plda" "$backend/mean.vec" "$backend/transform.mat" \
  "$enroll/spk_embedding.scp" "$enroll/num_utts.ark" "$test" "$trials"
log=$(dirname "$scores")/log/$(basename "$scores").log
mkdir -p "$(dirname "$log")"

chain() {  # <scp>: mean subtraction, LDA, length normalisation
  local centred="ivector-subtract-global-mean $backend/mean.vec scp:$1 ark:- |"
  echo "ark:$centred transform-vec $backend/transform.mat ark:- ark:- | ivector-normalize-length ark:- ark:- |"
}
trap 'rm -f "$scores.pairs" "$scores.partial"' EXIT
python3 -m scoring.trials --pairs "$trials" > "$scores.pairs"
$cmd "$log" \
  ivector-plda-scoring --normalize-length=true "--num-utts=ark:$enroll/num_utts.ark" \
  "ivector-copy-plda --smoothing=$smoothing $backend/plda - |" \
  "$(chain "$enroll/spk_embedding.scp")" "$(chain "$test")" "$scores.pairs" "$scores.partial"
python3 -m scoring.trials --check "$scores.partial" "$scores.pairs"
mv "$scores.partial" "$scores"
