#!/usr/bin/env bash
# training embeddings -> mean.vec, transform.mat (LDA; PCA first if they are few), plda: the back end.
set -euo pipefail

cmd=utils/run.pl
lda_dim=200                    # at most; limited by speakers, utterances and the embedding
total_covariance_factor=0.0
plda=true
help_message="Usage: steps/train_backend.sh [options] <data-dir> <embedding.scp> <out-dir>
 e.g.: steps/train_backend.sh --lda-dim 200 data/train exp/a/embeddings_train/embedding.scp exp/a/backend
Mean subtraction -> LDA -> length normalisation -> PLDA, as in Kaldi's VoxCeleb recipe. If there are too few utterances
for the embedding's dimension, PCA comes before LDA. The dimensions are chosen from the embeddings and printed.
Options:
  --lda-dim <n>                  LDA dimension, at most (default 200; also at most speakers - 1, or 2 for two
                                 speakers, and the dimensions of PCA)
  --total-covariance-factor <x>  of ivector-compute-lda (default 0.0)
  --plda true|false              also train PLDA (default true)
  --cmd <runner>                 runs the jobs (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
data=$1 embeddings=$2 out=$3
require "stage 0 makes the data directory, stage 8 the embeddings" "$data/utt2spk" "$data/spk2utt" "$embeddings"
mkdir -p "$out/log"
rm -f "$out"/{embedding.scp,mean.vec,pca.mat,lda.mat,transform.mat,plda} "$out/log"/{mean,pca,lda,plda}.log

utils/filter_scp.pl "$embeddings" "$data/utt2spk" > "$out/utt2spk"
utils/utt2spk_to_spk2utt.pl "$out/utt2spk" > "$out/spk2utt"
chosen=$(python3 -m scoring.backend_dims --lda-dim "$lda_dim" "scp:$embeddings" "ark:$out/utt2spk")
read -r dim pca_dim used explanation <<< "$chosen"
echo "$explanation"

$cmd "$out/log/mean.log" ivector-mean "scp:$embeddings" "$out/mean.vec"
centred="ivector-subtract-global-mean $out/mean.vec scp:$embeddings ark:- |"
reduced=$centred lda=$out/transform.mat
if [ "$pca_dim" -lt "$dim" ]; then
  reduced="$centred transform-vec $out/pca.mat ark:- ark:- |" lda=$out/lda.mat
  utils/filter_scp.pl "$out/utt2spk" "$embeddings" > "$out/embedding.scp"
  $cmd "$out/log/pca.log" est-pca --read-vectors=true "--dim=$pca_dim" "scp:$out/embedding.scp" "$out/pca.mat"
fi
$cmd "$out/log/lda.log" \
  ivector-compute-lda "--total-covariance-factor=$total_covariance_factor" "--dim=$used" \
  "ark:$reduced" "ark:$out/utt2spk" "$lda"
if [ "$pca_dim" -lt "$dim" ]; then
  python3 -m scoring.compose_transforms "$lda" "$out/pca.mat" "$out/transform.mat"
fi
if [ "$plda" = true ]; then
  $cmd "$out/log/plda.log" \
    ivector-compute-plda "ark:$out/spk2utt" \
    "ark:$centred transform-vec $out/transform.mat ark:- ark:- | ivector-normalize-length ark:- ark:- |" "$out/plda"
fi
show_warnings "$out/log"/*.log
