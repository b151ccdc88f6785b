#!/usr/bin/env bash
# <data> with wav.scp -> <data> with feats.scp, utt2num_frames, utt2dur; the archives are in <ark-dir>.
set -euo pipefail

type=mfcc             # mfcc, fbank, or one of python3 -m nnet.make_feats
feats_config=         # option file of the feature command; default conf/<type>.conf
nj=4                  # number of jobs
cmd=utils/run.pl      # runs them
compress=true         # one byte per value, as Kaldi's default; two bytes for the other types
max_loss=0.01         # share of utterances that may be lost before this step fails
vad_config=           # also decide on speech in these features
label=                # text of the progress line
help_message="Usage: steps/make_feats.sh [options] <data-dir> <log-dir> <ark-dir>
 e.g.: steps/make_feats.sh --type fbank --nj 8 data/train exp/make_fbank fbank
Options:
  --type mfcc|fbank|logmel|librosa_mfcc|samples    which features
  --feats-config <file>  options of compute-<type>-feats or nnet.make_feats (default conf/<type>.conf)
  --nj <n>               number of jobs (default 4)
  --cmd <runner>         runs the jobs (default utils/run.pl)
  --compress true|false  one byte per value of mfcc and fbank, two of the others (default true)
  --max-loss <share>     share of utterances that may be lost (default 0.01)
  --vad-config <file>    options of compute-vad: also decide on speech in these features, which are then MFCC
  --label <text>         text of the progress line"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
data=$1 log_dir=$2 ark_dir=$3
if [ "$type" = wave ]; then type=samples; fi     # its name in earlier versions
feats_config=${feats_config:-conf/$type.conf}
case $type in
  mfcc | fbank) compute=("compute-$type-feats") compression=1 ;;
  # In two bytes a value, 16-bit samples come back within half a step; in one they would sound like a telephone.
  logmel | librosa_mfcc | samples) compute=(python3 -m nnet.make_feats "$type") compression=3 ;;
  *) echo "make_feats.sh: --type is \"$type\"; choose mfcc, fbank, logmel, librosa_mfcc or samples" >&2; exit 1 ;;
esac
require "stage 0 makes the data directory, conf/ holds the option files" "$data/wav.scp" "$data/utt2spk" "$feats_config"

mkdir -p "$log_dir" "$ark_dir"
name=$(basename "$data")
ark_dir=$(cd "$ark_dir" && pwd)
list=wav.scp
if [ -s "$data/segments" ]; then list=segments; fi
split_for_jobs "$data/$list" "$log_dir/${list}_$name"

waves="scp,p:$log_dir/wav.scp_$name.JOB"
if [ "$list" = segments ]; then
  waves="ark,p:extract-segments scp,p:$data/wav.scp $log_dir/segments_$name.JOB ark:- |"
fi
rm -f "$ark_dir/raw_${type}_$name".*
utils/progress.py --label "${label:-$type of $name}" --total "$total" --lines "$ark_dir/raw_${type}_$name.*.scp" -- \
  $cmd "JOB=1:$nj" "$log_dir/make_${type}_$name.JOB.log" \
  "${compute[@]}" "--write-utt2dur=ark,t:$log_dir/utt2dur_$name.JOB" --verbose=1 "--config=$feats_config" \
  "$waves" ark:- \| \
  copy-feats "--write-num-frames=ark,t:$log_dir/utt2num_frames_$name.JOB" \
  "--compress=$compress" "--compression-method=$compression" ark:- \
  "ark,scp:$ark_dir/raw_${type}_$name.JOB.ark,$ark_dir/raw_${type}_$name.JOB.scp"

join_parts "$ark_dir/raw_${type}_$name" .scp "$data/feats.scp"
join_parts "$log_dir/utt2num_frames_$name" "" "$data/utt2num_frames"
join_parts "$log_dir/utt2dur_$name" "" "$data/utt2dur"
if [ "$list" = wav.scp ]; then cp "$data/utt2dur" "$data/reco2dur"; fi     # a recording is an utterance here
rm -f "$log_dir/utt2num_frames_$name".* "$log_dir/utt2dur_$name".* "${parts[@]}"

utils/check_counts.py --what "$type of $name" --in "$data/$list" --out "$data/feats.scp" \
  --reason-log "$log_dir/make_${type}_$name.*.log" --max-loss "$max_loss"
if [ -n "$vad_config" ]; then
  steps/compute_vad_decision.sh --nj "$nj" --cmd "$cmd" --vad-config "$vad_config" --max-loss "$max_loss" \
    "$data" "$log_dir" "$ark_dir"
fi
