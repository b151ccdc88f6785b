#!/usr/bin/env bash
# embeddings, models and back end of a system + trials -> <system>/scores/<test>_{plda,lda_cosine,cosine,cosine_asnorm}.
set -euo pipefail

cmd=utils/run.pl
cohort=
help_message="Usage: steps/score_trials.sh [options] <trials> <system-dir> <test>
 e.g.: steps/score_trials.sh data/test/trials exp/a test
Four scores per trial: PLDA, cosine after LDA, cosine, cosine with AS-norm.
Options:
  --cohort <scp>    embeddings that AS-norm compares with (default <system-dir>/embeddings_train/spk_embedding.scp)
  --cmd <runner>    runs the jobs (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
trials=$1 system=$2 test=$3
trial=("$system/backend" "$system/enroll_$test" "$system/embeddings_$test/embedding.scp" "$trials")
scores=$system/scores/$test
steps/score_plda.sh --cmd "$cmd" "${trial[@]}" "${scores}_plda"
steps/score_cosine.sh --cmd "$cmd" --lda true "${trial[@]}" "${scores}_lda_cosine"
steps/score_cosine.sh --cmd "$cmd" "${trial[@]}" "${scores}_cosine"
steps/score_cosine.sh --cmd "$cmd" --cohort "${cohort:-$system/embeddings_train/spk_embedding.scp}" "${trial[@]}" \
  "${scores}_cosine_asnorm"
