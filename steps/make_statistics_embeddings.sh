#!/usr/bin/env bash
# <data> with MFCC feats.scp, vad.scp -> mean and standard deviation of the voiced frames, a baseline without a network.
set -euo pipefail

cmd=utils/run.pl
cmvn=false
cmn_window=300
max_loss=0.01
help_message="Usage: steps/make_statistics_embeddings.sh [options] <data-dir> <out-dir>
 e.g.: steps/make_statistics_embeddings.sh --cmvn true data/mfcc/test exp/a/baseline_cmvn/embeddings_test
Options:
  --cmvn true|false    subtract the mean over a sliding window first (default false)
  --cmn-window <n>     its length in frames (default 300)
  --max-loss <share>   share of utterances that may be lost (default 0.01)
  --cmd <runner>       runs the job (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 2 $#
data=$1 out=$2
require "stage 1 makes it" "$data/feats.scp" "$data/vad.scp"
mkdir -p "$out/log"
out=$(cd "$out" && pwd)
feats=scp:$data/feats.scp
if [ "$cmvn" = true ]; then
  feats="ark:apply-cmvn-sliding --norm-vars=false --center=true --cmn-window=$cmn_window $feats ark:- |"
fi
$cmd "$out/log/statistics.log" \
  select-voiced-frames "$feats" "scp,s,cs:$data/vad.scp" ark:- \| \
  python3 -m scoring.frame_statistics ark:- "ark,scp:$out/embedding.ark,$out/embedding.partial.scp"
utils/check_counts.py --what "statistics of $(basename "$data")" --in "$data/feats.scp" \
  --out "$out/embedding.partial.scp" --reason-log "$out/log/statistics.log" --max-loss "$max_loss"
mv "$out/embedding.partial.scp" "$out/embedding.scp"
