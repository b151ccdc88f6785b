#!/usr/bin/env bash
# <data> with MFCC feats.scp -> <data> with vad.scp: energy-based voice activity decisions, one per frame.
set -euo pipefail

vad_config=conf/vad.conf
nj=4
cmd=utils/run.pl
max_loss=0.01
label=
help_message="Usage: steps/compute_vad_decision.sh [options] <data-dir> <log-dir> <ark-dir>
 e.g.: steps/compute_vad_decision.sh --nj 8 data/train exp/make_vad mfcc
The features must be MFCC with the log energy as their first coefficient.
Options:
  --vad-config <file>   options of compute-vad (default conf/vad.conf)
  --nj <n>              number of jobs (default 4)
  --cmd <runner>        runs the jobs (default utils/run.pl)
  --max-loss <share>    share of utterances that may be lost (default 0.01)
  --label <text>        text of the progress line"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
data=$1 log_dir=$2 ark_dir=$3
require "steps/make_mfcc.sh (stage 1) makes the features" "$data/feats.scp" "$data/utt2spk" "$vad_config"

mkdir -p "$log_dir" "$ark_dir"
name=$(basename "$data")
ark_dir=$(cd "$ark_dir" && pwd)
split_for_jobs "$data/feats.scp" "$log_dir/feats_$name.scp"

rm -f "$ark_dir/vad_$name".*
utils/progress.py --label "${label:-VAD of $name}" --total "$total" --lines "$ark_dir/vad_$name.*.scp" -- \
  $cmd "JOB=1:$nj" "$log_dir/vad_$name.JOB.log" \
  compute-vad "--config=$vad_config" "scp:$log_dir/feats_$name.scp.JOB" \
  "ark,scp:$ark_dir/vad_$name.JOB.ark,$ark_dir/vad_$name.JOB.scp"

join_parts "$ark_dir/vad_$name" .scp "$data/vad.scp"
rm -f "${parts[@]}"

utils/check_counts.py --what "VAD of $name" --in "$data/feats.scp" --out "$data/vad.scp" \
  --reason-log "$log_dir/vad_$name.*.log" --max-loss "$max_loss"
