#!/usr/bin/env bash
# i-vector extractor + <data> with feats.scp, vad.scp -> <out>/embedding.ark, embedding.scp: one vector per utterance.
set -euo pipefail

nj=4
cmd=utils/run.pl
num_gselect=20         # Gaussians per frame that the diagonal UBM selects
min_post=0.025         # smaller shares are left out
posterior_scale=1.0
num_threads=1          # per job, for real Kaldi
max_loss=0.01
label=
help_message="Usage: steps/extract_ivectors.sh [options] <extractor-dir> <data-dir> <out-dir>
 e.g.: steps/extract_ivectors.sh --nj 8 exp/extractor data/test exp/extractor/embeddings_test
The options of the posteriors must be those of steps/train_ivector_extractor.sh.
Options:
  --num-gselect <n>       Gaussians that are selected for each frame (default 20)
  --min-post <share>      smaller shares are left out (default 0.025)
  --posterior-scale <x>   factor on the posteriors (default 1.0)
  --nj <n>                number of jobs (default 4)
  --num-threads <n>       threads per job of real Kaldi's commands (default 1)
  --max-loss <share>      share of utterances that may be lost (default 0.01)
  --cmd <runner>          runs the jobs (default utils/run.pl)
  --label <text>          text of the progress line"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
. steps/ivector_feats.sh
need_arguments 3 $#
exp=$1 data=$2 out=$3
require "steps/train_ivector_extractor.sh makes it" \
  "$exp/final.ie" "$exp/final.ubm" "$exp/final.dubm" "$exp/delta_opts" "$exp/apply_cmn"
require "stages 1 and 3 make it" "$data/feats.scp" "$data/vad.scp"
mkdir -p "$out/log"
out=$(cd "$out" && pwd)
split_for_jobs "$data/feats.scp" "$out/log/feats.scp"
feats="$(ivector_feats "$out/log/feats.scp.JOB" "$data/vad.scp" "$(< "$exp/delta_opts")" "$(< "$exp/apply_cmn")")"

building=$out/partial        # an earlier extraction stays until this one is complete
rm -rf "$building"
mkdir "$building"
name=$(basename "$data")
utils/progress.py --label "${label:-i-vectors of $name}" --total "$total" --lines "$building/embedding.*.scp" -- \
  $cmd "JOB=1:$nj" "$out/log/extract.JOB.log" \
  gmm-gselect "--n=$num_gselect" "$exp/final.dubm" "$feats" ark:- \| \
  fgmm-global-gselect-to-post "--min-post=$min_post" "$exp/final.ubm" "$feats" ark,s,cs:- ark:- \| \
  scale-post ark:- "$posterior_scale" ark:- \| \
  ivector-extract "--num-threads=$num_threads" "$exp/final.ie" "$feats" ark,s,cs:- \
  "ark,scp,f:$building/embedding.JOB.ark,$building/embedding.JOB.scp"
join_parts "$building/embedding" .scp "$building/joined.scp"
utils/check_counts.py --what "i-vectors of $name" --in "$data/feats.scp" --out "$building/joined.scp" \
  --reason-log "$out/log/extract.*.log" --max-loss "$max_loss"
sed "s#$building/#$out/#" "$building/joined.scp" > "$building/embedding.scp"
rm -f "$out"/embedding.*
mv "$building"/embedding.*.ark "$building/embedding.scp" "$out/"
if [ -e "$building/joined.scp.dropped" ]; then mv "$building/joined.scp.dropped" "$out/embedding.scp.dropped"; fi
rm -rf "$building"
rm -f "${parts[@]}"
