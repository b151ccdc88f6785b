#!/usr/bin/env bash
# full-covariance UBM + <data> with feats.scp, vad.scp -> <exp-dir>/final.ie, an i-vector extractor. An interrupted run
# goes on after its last whole iteration, also with another number of jobs.
set -euo pipefail

nj=4
cmd=utils/run.pl
num_utts=              # train on so many of the longest; default: on all
num_gselect=20         # Gaussians per frame that the diagonal UBM selects
min_post=0.025         # smaller shares are left out
posterior_scale=1.0    # below 1 if successive frames are alike
ivector_dim=400
use_weights=false      # whether the Gaussians' weights depend on the vector
num_samples_for_weights=3
num_iters=5
num_threads=1          # per job, for real Kaldi
memory=                # of all jobs, in GB; default: what is free
apply_cmn=true         # subtract the mean over a sliding window
max_loss=0.01
label=
help_message="Usage: steps/train_ivector_extractor.sh [options] <full-ubm-dir> <data-dir> <exp-dir>
 e.g.: steps/train_ivector_extractor.sh --nj 8 exp/full_ubm data/train exp/extractor
Options:
  --num-iters <n>                 passes over the data (default 5); a higher number goes on from what is there
  --ivector-dim <n>               dimensions of the vectors (default 400)
  --num-utts <n>                  train on so many of the longest utterances (default: on all)
  --num-gselect <n>               Gaussians that are selected for each frame (default 20)
  --min-post <share>              smaller shares are left out (default 0.025)
  --posterior-scale <x>           factor on the posteriors (default 1.0)
  --use-weights true|false        regress the log-weights on the vector (default false)
  --num-samples-for-weights <n>   vectors that are drawn for this per utterance (default 3)
  --apply-cmn true|false          subtract the sliding mean of the features (default true)
  --nj <n>                        number of jobs (default 4); each takes 2.7 GB at 2,048 Gaussians, 72 x 400
  --memory <GB>                   run.pl runs no more jobs at once than this holds (default: the memory that is free)
  --num-threads <n>               threads per job of real Kaldi's commands (default 1)
  --max-loss <share>              share of utterances that may be lost (default 0.01)
  --cmd <runner>                  runs the jobs (default utils/run.pl)
  --label <text>                  text of the progress line"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
. steps/ivector_feats.sh
. steps/limit_by_memory.sh
need_arguments 3 $#
ubm=$1 data=$2 exp=$3
require "steps/train_full_ubm.sh makes it" "$ubm/final.ubm"
require "stages 1 and 3 make it" "$data/feats.scp" "$data/vad.scp"
mkdir -p "$exp/log"
exp=$(cd "$exp" && pwd)
label=${label:-i-vector extractor}
delta_opts=$(ivector_delta_opts "$ubm")
table=$data/feats.scp
if [ -n "$num_utts" ] && [ "$num_utts" -lt "$(wc -l < "$table")" ]; then
  require "stage 1 makes it" "$data/utt2num_frames"
  sort -k 2,2nr -k 1,1 "$data/utt2num_frames" | sed "$((num_utts + 1)),\$d" > "$exp/log/longest"
  table=$exp/log/longest.scp
  utils/filter_scp.pl "$exp/log/longest" "$data/feats.scp" > "$table"
fi
split_for_jobs "$table" "$exp/log/feats.scp"
trap 'rm -f "${parts[@]}"' EXIT

# What the models and posteriors that are there were made from.
settings="ubm $(sha256sum < "$ubm/final.ubm")
feats $(data_state "$table")
vad $(data_state "$data/vad.scp")
features $delta_opts apply-cmn=$apply_cmn
posteriors num-gselect=$num_gselect min-post=$min_post scale=$posterior_scale
extractor ivector-dim=$ivector_dim use-weights=$use_weights samples=$num_samples_for_weights"
if [ -e "$exp/settings" ] && [ "$(< "$exp/settings")" != "$settings" ]; then
  echo "$label: $exp was made with other options or data; it is made again" >&2
  rm -f "$exp/settings"
fi
if [ ! -e "$exp/settings" ]; then
  rm -f "$exp"/{*.ie,*.partial,acc.*,post.*.gz,posteriors_done}
  cp "$ubm/final.ubm" "$exp/final.ubm"
  echo "$delta_opts" > "$exp/delta_opts"
  echo "$apply_cmn" > "$exp/apply_cmn"
  echo "$num_gselect $min_post $posterior_scale" > "$exp/posterior_opts"
  $cmd "$exp/log/convert.log" fgmm-global-to-gmm "$exp/final.ubm" "$exp/final.dubm"
  $cmd "$exp/log/init.log" \
    ivector-extractor-init "--ivector-dim=$ivector_dim" "--use-weights=$use_weights" "$exp/final.ubm" "$exp/0.ie"
  echo "$settings" > "$exp/settings"
fi

# The last command of the pipe lists the utterances that pass, for the progress line.
feats="$(ivector_feats "$exp/log/feats.scp.JOB" "$data/vad.scp" "$delta_opts" "$apply_cmn")"
counted="$feats copy-feats --write-num-frames=ark,t,f:$exp/log/passed.JOB ark:- ark:- |"

first=0
while [ "$first" -lt "$num_iters" ] && [ -s "$exp/$((first + 1)).ie" ]; do first=$((first + 1)); done
if [ "$first" -gt 0 ]; then echo "$label: $first of $num_iters iterations are there"; fi

# The posteriors are files per job.
if [ "$first" -lt "$num_iters" ] &&
  { [ ! -e "$exp/posteriors_done" ] || [ "$(< "$exp/posteriors_done")" != "$nj jobs" ]; }; then
  rm -f "$exp/posteriors_done"
  rm -f "$exp"/post.*.gz "$exp/log"/{passed.*,posteriors.*.log}
  utils/progress.py --label "$label: posteriors" --total "$total" --lines "$exp/log/passed.*" -- \
    $cmd "JOB=1:$nj" "$exp/log/posteriors.JOB.log" \
    gmm-gselect "--n=$num_gselect" "$exp/final.dubm" "$feats" ark:- \| \
    fgmm-global-gselect-to-post "--min-post=$min_post" "$exp/final.ubm" "$counted" ark,s,cs:- ark:- \| \
    scale-post ark:- "$posterior_scale" "ark:|gzip -c > $exp/post.JOB.gz"
  join_parts "$exp/log/passed" "" "$exp/log/passed_utterances"
  utils/check_counts.py --what "posteriors of $(basename "$data")" --in "$table" \
    --out "$exp/log/passed_utterances" --reason-log "$exp/log/posteriors.*.log" --max-loss "$max_loss"
  echo "$nj jobs" > "$exp/jobs.partial"
  mv "$exp/jobs.partial" "$exp/posteriors_done"
fi

update() {  # <iteration>: statistics with <iteration>.ie, and from them the next model
  local accs=() job
  for ((job = 1; job <= nj; job++)); do accs+=("$exp/acc.$1.$job"); done
  rm -f "$exp/log"/passed.* "$exp/acc.$1" "$exp/acc.$1".*
  utils/progress.py --label "$label: iteration $(($1 + 1)) of $num_iters" --total "$total" \
    --lines "$exp/log/passed.*" -- \
    $cmd "${limited[@]}" "JOB=1:$nj" "$exp/log/acc.$1.JOB.log" \
    ivector-extractor-acc-stats "--num-threads=$num_threads" "--num-samples-for-weights=$num_samples_for_weights" \
    "$exp/$1.ie" "$counted" "ark,s,cs:gunzip -c $exp/post.JOB.gz |" "$exp/acc.$1.JOB"
  if [ "$nj" -gt 1 ]; then
    $cmd "$exp/log/sum.$1.log" ivector-extractor-sum-accs "${accs[@]}" "$exp/acc.$1"
  else
    mv "${accs[0]}" "$exp/acc.$1"
  fi
  rm -f "${accs[@]}"
  $cmd "$exp/log/update.$1.log" \
    ivector-extractor-est "--num-threads=$((num_threads * nj))" "$exp/$1.ie" "$exp/acc.$1" "$exp/next.partial"
  mv "$exp/next.partial" "$exp/$(($1 + 1)).ie"
  rm -f "$exp/acc.$1"
}

if [ "$first" -lt "$num_iters" ]; then
  if [ "$use_weights" = true ]; then squares=3; else squares=2; fi  # of the model, of the statistics, of the weights
  limit_by_memory "$label" "$exp/$first.ie" "$exp/final.dubm" "$squares" "$exp/log/memory.log"
fi
SECONDS=0
for ((x = first; x < num_iters; x++)); do
  update "$x"
  auxf=$(sed -n 's/.*auxf\/frame on training data was \([^ ]*\) per frame.*/\1/p' "$exp/log/update.$x.log")
  left=$((SECONDS * (num_iters - 1 - x) / (x + 1 - first)))
  echo "$label: iteration $((x + 1)) of $num_iters: auxiliary function ${auxf:-unknown} per frame, left ${left} s"
done
rm -f "$exp/log"/passed.*
ln -sf "$num_iters.ie" "$exp/final.partial"
mv -f "$exp/final.partial" "$exp/final.ie"
show_warnings "$exp/log"/init.log "$exp/log"/update.*.log
