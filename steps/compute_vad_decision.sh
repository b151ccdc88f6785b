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
  --cmd <runner>        what runs the jobs (default utils/run.pl)
  --max-loss <share>    share of utterances that may be lost (default 0.01)
  --label <text>        what the progress line says"

. ./path.sh
. utils/parse_options.sh

if [ $# -ne 3 ]; then
  echo "$help_message" >&2
  exit 1
fi
data=$1 log_dir=$2 ark_dir=$3
for file in "$data/feats.scp" "$data/utt2spk" "$vad_config"; do
  if [ ! -s "$file" ]; then
    echo "compute_vad_decision.sh: $file is missing or empty; steps/make_mfcc.sh (stage 1) makes the features" >&2
    exit 1
  fi
done

mkdir -p "$log_dir" "$ark_dir"
name=$(basename "$data")
ark_dir=$(cd "$ark_dir" && pwd)
total=$(wc -l < "$data/feats.scp")
if [ "$nj" -gt "$total" ]; then nj=$total; fi
parts=()
for ((job = 1; job <= nj; job++)); do parts+=("$log_dir/feats_$name.scp.$job"); done
utils/split_scp.pl "$data/feats.scp" "${parts[@]}"

rm -f "$ark_dir/vad_$name".*
utils/progress.py --label "${label:-VAD of $name}" --total "$total" --lines "$ark_dir/vad_$name.*.scp" -- \
  $cmd "JOB=1:$nj" "$log_dir/vad_$name.JOB.log" \
  compute-vad "--config=$vad_config" "scp:$log_dir/feats_$name.scp.JOB" \
  "ark,scp:$ark_dir/vad_$name.JOB.ark,$ark_dir/vad_$name.JOB.scp"

for ((job = 1; job <= nj; job++)); do cat "$ark_dir/vad_$name.$job.scp"; done > "$data/vad.scp.partial"
mv "$data/vad.scp.partial" "$data/vad.scp"
rm -f "${parts[@]}"

utils/check_counts.py --what "VAD of $name" --in "$data/feats.scp" --out "$data/vad.scp" \
  --reason-log "$log_dir/vad_$name.*.log" --max-loss "$max_loss"
