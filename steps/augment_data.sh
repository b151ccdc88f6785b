#!/usr/bin/env bash
# <data> with vad.scp -> <data>_reverb, _noise, _music, _babble and all of them as <data>_aug.
# The copies are pipes in wav.scp; no audio is written.
set -euo pipefail

seed=1
rir_sets=              # file with lines `weight, rir-list`
noise_dir="" music_dir="" speech_dir=""
sample_rate=16000
help_message="Usage: steps/augment_data.sh [options] <data-dir>
 e.g.: steps/augment_data.sh --rir-sets data/rir_sets --noise-dir data/musan_noise --music-dir data/musan_music \\
         data/train
As in Kaldi's VoxCeleb recipe: reverberation; noise at 15:10:5:0 dB each second; music at 15:10:8:5 dB; babble of 3 to
7 voices at 20:17:15:13 dB.
Options:
  --rir-sets <file>      lines \`weight, list of room impulse responses\`
  --noise-dir <dir>      data directory of noises, with reco2dur
  --music-dir <dir>      data directory of music
  --speech-dir <dir>     data directory of speech for babble; default: other speakers of <data-dir> itself
  --sample-rate <hz>     of the audio (default 16000)
  --seed <n>             random seed (default 1)"

. ./path.sh
. utils/parse_options.sh
. utils/clean_lines.sh
. steps/functions.sh
need_arguments 1 $#
data=${1%/}
require "stage 0 makes noises and rooms, stage 1 vad.scp and reco2dur" "$data/wav.scp" "$data/vad.scp" \
  "$data/reco2dur" "${rir_sets:-rir_sets}" "$noise_dir/wav.scp" "$music_dir/wav.scp"

rir_options=() rir_lines=()
clean_lines "$rir_sets" rir_lines
for line in "${rir_lines[@]}"; do
  if [ -n "$line" ]; then rir_options+=(--rir-set-parameters "$line"); fi
done
rm -rf "$data"_{reverb,noise,music,babble,aug} "$data"_reverb.plain
python3 steps/data/reverberate_data_dir.py "${rir_options[@]}" --speech-rvb-probability 1 \
  --pointsource-noise-addition-probability 0 --isotropic-noise-addition-probability 0 --num-replications 1 \
  --source-sampling-rate "$sample_rate" --random-seed "$seed" "$data" "$data"_reverb.plain
cp "$data/vad.scp" "$data"_reverb.plain/
utils/copy_data_dir.sh --utt-suffix -reverb "$data"_reverb.plain "$data"_reverb
rm -rf "$data"_reverb.plain

python3 steps/data/augment_data_dir.py --random-seed "$seed" --utt-suffix noise --fg-interval 1 --fg-snrs 15:10:5:0 \
  --fg-noise-dir "$noise_dir" "$data" "$data"_noise
python3 steps/data/augment_data_dir.py --random-seed "$seed" --utt-suffix music --bg-snrs 15:10:8:5 --num-bg-noises 1 \
  --bg-noise-dir "$music_dir" "$data" "$data"_music
babble_options=()
if [ -z "$speech_dir" ]; then
  speech_dir=$data
  babble_options=(--exclude-same-speaker true)
  echo "babble: no speech corpus given; voices of other speakers of $data are mixed"
fi
python3 steps/data/augment_data_dir.py --random-seed "$seed" --utt-suffix babble --bg-snrs 20:17:15:13 \
  --num-bg-noises 3:4:5:6:7 "${babble_options[@]}" --bg-noise-dir "$speech_dir" "$data" "$data"_babble
utils/combine_data.sh "$data"_aug "$data"_reverb "$data"_noise "$data"_music "$data"_babble
