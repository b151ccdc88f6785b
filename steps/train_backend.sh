#!/usr/bin/env bash
# training embeddings -> mean.vec, transform.mat (LDA), plda: the back end.
set -euo pipefail

cmd=utils/run.pl
lda_dim=200                    # at most; fewer where speakers or the embedding allow no more
total_covariance_factor=0.0
help_message="Usage: steps/train_backend.sh [options] <data-dir> <embedding.scp> <out-dir>
 e.g.: steps/train_backend.sh --lda-dim 200 data/train exp/a/embeddings_train/embedding.scp exp/a/backend
Mean subtraction -> LDA -> length normalisation -> PLDA, as in Kaldi's VoxCeleb recipe.
Options:
  --lda-dim <n>                  LDA dimension (default 200); min(n, speakers - 1, embedding dimension) is used, and said
  --total-covariance-factor <x>  of ivector-compute-lda (default 0.0)
  --cmd <runner>                 what runs the jobs (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
data=$1 embeddings=$2 out=$3
require "stage 0 makes the data directory, stage 8 the embeddings" "$data/utt2spk" "$data/spk2utt" "$embeddings"
mkdir -p "$out/log"

speakers=$(wc -l < "$data/spk2utt")
read -r -a first < <(head -n 1 "$embeddings" | copy-vector --print-args=false scp:- ark,t:- 2> "$out/log/dim.log")
dim=$((${#first[@]} - 3))       # `utt_id  [ x x ... ]`
used=$lda_dim
if [ "$used" -gt $((speakers - 1)) ]; then used=$((speakers - 1)); fi
if [ "$used" -gt "$dim" ]; then used=$dim; fi
if [ "$used" -lt 1 ]; then
  echo "train_backend.sh: $data has $speakers speaker; LDA and PLDA need two or more" >&2
  exit 1
fi
echo "LDA: $dim -> $used dimensions ($speakers training speakers; asked for at most $lda_dim)"

utils/filter_scp.pl "$embeddings" "$data/utt2spk" > "$out/utt2spk"
utils/utt2spk_to_spk2utt.pl "$out/utt2spk" > "$out/spk2utt"
$cmd "$out/log/mean.log" ivector-mean "scp:$embeddings" "$out/mean.vec"
$cmd "$out/log/lda.log" \
  ivector-compute-lda "--total-covariance-factor=$total_covariance_factor" "--dim=$used" \
  "ark:ivector-subtract-global-mean $out/mean.vec scp:$embeddings ark:- |" "ark:$out/utt2spk" "$out/transform.mat"
$cmd "$out/log/plda.log" \
  ivector-compute-plda "ark:$out/spk2utt" \
  "ark:ivector-subtract-global-mean $out/mean.vec scp:$embeddings ark:- | transform-vec $out/transform.mat ark:- ark:- | ivector-normalize-length ark:- ark:- |" \
  "$out/plda"
