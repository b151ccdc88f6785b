#!/usr/bin/env bash
# embeddings of a system -> <out>/embeddings_<set>: the same after mean subtraction, LDA and length normalisation.
set -euo pipefail

cmd=utils/run.pl
lda_dim=200
max_loss=0.01
help_message="Usage: steps/normalise_embeddings.sh [options] <train-data> <system-dir> <out-dir> <set>...
 e.g.: steps/normalise_embeddings.sh data/train exp/a exp/a/normalised train test
Mean and LDA are those of <system-dir>/embeddings_train, which must be there.
Options:
  --lda-dim <n>        LDA dimension, at most (default 200)
  --max-loss <share>   share of utterances that may be lost (default 0.01)
  --cmd <runner>       runs the jobs (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 4+ $#
data=$1 system=$2 out=$3
shift 3
for set in "$@"; do require "stage 8 makes the embeddings" "$system/embeddings_$set/embedding.scp"; done
steps/train_backend.sh --cmd "$cmd" --lda-dim "$lda_dim" --plda false "$data" "$system/embeddings_train/embedding.scp" \
  "$out/normalisation"
for set in "$@"; do
  made=$out/embeddings_$set from=$system/embeddings_$set/embedding.scp
  mkdir -p "$made/log"
  made=$(cd "$made" && pwd)
  $cmd "$made/log/normalise.log" \
    ivector-subtract-global-mean "$out/normalisation/mean.vec" "scp:$from" ark:- \| \
    transform-vec "$out/normalisation/transform.mat" ark:- ark:- \| \
    ivector-normalize-length ark:- "ark,scp:$made/embedding.ark,$made/embedding.partial.scp"
  utils/check_counts.py --what "normalised embeddings of $set" --in "$from" --out "$made/embedding.partial.scp" \
    --reason-log "$made/log/normalise.log" --max-loss "$max_loss"
  mv "$made/embedding.partial.scp" "$made/embedding.scp"
done
