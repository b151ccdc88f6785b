#!/usr/bin/env bash
# <data-in> with feats.scp, vad.scp -> <data-out>, uncompressed: voiced frames or all frames, with or without
# sliding-window mean normalisation.
set -euo pipefail

nj=4
cmd=utils/run.pl
cmvn=true             # subtract the sliding mean first
cmn_window=300        # frames
vad=true              # keep voiced frames only
fit_vad=false         # the features may lack the last frame of the decisions
max_loss=0.01
label=
help_message="Usage: steps/prepare_feats.sh [options] <data-in> <data-out> <ark-dir>
 e.g.: steps/prepare_feats.sh --nj 8 data/train data/train_no_sil exp/train_no_sil
The archives are not compressed: training reads any range of rows with one seek.
Options:
  --nj <n>              number of jobs (default 4)
  --cmd <runner>        runs the jobs (default utils/run.pl)
  --cmvn true|false     subtract the mean over a centred sliding window (default true)
  --cmn-window <n>      its length in frames (default 300)
  --vad true|false      keep voiced frames only (default true)
  --fit-vad true|false  of features that may lack an unfinished last frame, as type samples (default false)
  --max-loss <share>    share of utterances that may be lost (default 0.01)
  --label <text>        text of the progress line"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
data_in=$1 data_out=$2 ark_dir=$3
require "stages 1 and 3 make it" "$data_in/feats.scp" "$data_in/utt2spk"
what="frames"
if [ "$vad" = true ]; then
  what="voiced frames"
  require "stages 1 and 3 make it" "$data_in/vad.scp"
fi

name=$(basename "$data_out")
mkdir -p "$ark_dir/log"
ark_dir=$(cd "$ark_dir" && pwd)
split_for_jobs "$data_in/feats.scp" "$ark_dir/log/feats_$name.scp"

feats="scp:$ark_dir/log/feats_$name.scp.JOB"
if [ "$cmvn" = true ]; then
  feats="ark:apply-cmvn-sliding --norm-vars=false --center=true --cmn-window=$cmn_window $feats ark:- |"
fi
selection=()
decisions="scp,s,cs:$data_in/vad.scp"
if [ "$vad" = true ] && [ "$fit_vad" = true ]; then
  for part in "${parts[@]}"; do utils/filter_scp.pl "$part" "$data_in/utt2num_frames" > "$part.num_frames"; done
  fitted="python3 -m nnet.features.fit_vad ark,t:$ark_dir/log/feats_$name.scp.JOB.num_frames $decisions ark:- |"
  decisions="ark,s,cs:$fitted"
fi
if [ "$vad" = true ]; then
  selection=(select-voiced-frames "$feats" "$decisions" ark:- \|)
  feats=ark:-
fi
rm -f "$ark_dir/feats_$name".*
utils/progress.py --label "${label:-$what of $name}" --total "$total" --lines "$ark_dir/feats_$name.*.scp" -- \
  $cmd "JOB=1:$nj" "$ark_dir/log/prepare_$name.JOB.log" \
  "${selection[@]}" \
  copy-feats --compress=false "--write-num-frames=ark,t:$ark_dir/log/utt2num_frames_$name.JOB" "$feats" \
  "ark,scp:$ark_dir/feats_$name.JOB.ark,$ark_dir/feats_$name.JOB.scp"

building=$data_out.partial
rm -rf "$building"
mkdir -p "$building"
join_parts "$ark_dir/feats_$name" .scp "$building/feats.scp"
join_parts "$ark_dir/log/utt2num_frames_$name" "" "$building/utt2num_frames"
keep() {  # <ids> <table>...: copies the lines of these ids from the tables that exist
  local ids=$1 file
  shift
  for file in "$@"; do
    if [ -s "$data_in/$file" ]; then utils/filter_scp.pl "$ids" "$data_in/$file" > "$building/$file"; fi
  done
}
# The tables that Kaldi's scripts need; vad.scp, cmvn.scp and the durations do not fit the frames that are kept.
keep "$building/feats.scp" utt2spk utt2rec utt2uniq utt2lang text segments
utils/utt2spk_to_spk2utt.pl "$building/utt2spk" > "$building/spk2utt"
keep "$building/spk2utt" spk2gender
if [ -s "$building/segments" ]; then
  awk '{ print $2 }' "$building/segments" > "$ark_dir/log/recordings_$name"
  keep "$ark_dir/log/recordings_$name" wav.scp reco2file_and_channel
  rm -f "$ark_dir/log/recordings_$name"
else
  keep "$building/feats.scp" wav.scp reco2file_and_channel
fi
rm -f "${parts[@]}" "${parts[@]/%/.num_frames}" "$ark_dir/log/utt2num_frames_$name".*

utils/check_counts.py --what "$what of $name" --in "$data_in/feats.scp" --out "$building/feats.scp" \
  --reason-log "$ark_dir/log/prepare_$name.*.log" --max-loss "$max_loss"
rm -rf "$data_out"
mv "$building" "$data_out"
