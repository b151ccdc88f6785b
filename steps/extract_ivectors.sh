#!/usr/bin/env bash
# i-vector extractor + <data> with feats.scp, vad.scp -> <out>/embedding.ark, embedding.scp: one vector per utterance.
set -euo pipefail

nj=4
cmd=utils/run.pl
num_gselect=           # Gaussians per frame that the diagonal UBM selects
min_post=              # smaller shares are left out
posterior_scale=
num_threads=1          # per job, for real Kaldi
memory=                # of all jobs, in GB; default: what is free
max_loss=0.01
label=
help_message="Usage: steps/extract_ivectors.sh [options] <extractor-dir> <data-dir> <out-dir>
 e.g.: steps/extract_ivectors.sh --nj 8 exp/extractor data/test exp/extractor/embeddings_test
Options:
  --num-gselect <n>       Gaussians that are selected for each frame (default: as in training)
  --min-post <share>      smaller shares are left out (default: as in training)
  --posterior-scale <x>   factor on the posteriors (default: as in training)
  --nj <n>                number of jobs (default 4); each takes 1.7 GB at 2,048 Gaussians, 72 x 400
  --memory <GB>           run.pl runs no more jobs at once than this holds (default: the memory that is free)
  --num-threads <n>       threads per job of real Kaldi's commands (default 1)
  --max-loss <share>      share of utterances that may be lost (default 0.01)
  --cmd <runner>          runs the jobs (default utils/run.pl)
  --label <text>          text of the progress line"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
. steps/ivector_feats.sh
. steps/limit_by_memory.sh
need_arguments 3 $#
exp=$1 data=$2 out=$3
require "steps/train_ivector_extractor.sh makes it" \
  "$exp/final.ie" "$exp/final.ubm" "$exp/final.dubm" "$exp/delta_opts" "$exp/apply_cmn" "$exp/posterior_opts"
require "stages 1 and 3 make it" "$data/feats.scp" "$data/vad.scp"
read -r trained_gselect trained_min_post trained_scale < "$exp/posterior_opts"
mkdir -p "$out/log"
out=$(cd "$out" && pwd)
split_for_jobs "$data/feats.scp" "$out/log/feats.scp"
feats="$(ivector_feats "$out/log/feats.scp.JOB" "$data/vad.scp" "$(< "$exp/delta_opts")" "$(< "$exp/apply_cmn")")"

building=$out/partial        # an earlier extraction stays until this one is complete
rm -rf "$building"
mkdir "$building"
name=$(basename "$data")
label=${label:-i-vectors of $name}
limit_by_memory "$label" "$exp/final.ie" "$exp/final.dubm" 1 "$out/log/memory.log"
utils/progress.py --label "$label" --total "$total" --lines "$building/embedding.*.scp" -- \
  $cmd "${limited[@]}" "JOB=1:$nj" "$out/log/extract.JOB.log" \
  gmm-gselect "--n=${num_gselect:-$trained_gselect}" "$exp/final.dubm" "$feats" ark:- \| \
  fgmm-global-gselect-to-post "--min-post=${min_post:-$trained_min_post}" \
  "$exp/final.ubm" "$feats" ark,s,cs:- ark:- \| \
  scale-post ark:- "${posterior_scale:-$trained_scale}" ark:- \| \
  ivector-extract "--num-threads=$num_threads" "$exp/final.ie" "$feats" ark,s,cs:- \
  "ark,scp,f:$building/embedding.JOB.ark,$building/embedding.JOB.scp"
publish_embeddings "i-vectors of $name" "$data/feats.scp" "$max_loss" "$building" "$out"
echo "embedding_scp: $(sha256sum "$out/embedding.scp" | cut -d ' ' -f 1)" > "$out/extracted.yaml"
rm -rf "$building"
rm -f "${parts[@]}"
