#!/usr/bin/env bash
# Noise, music, speech and rooms for augmentation: MUSAN and RIRS_NOISES if given, else those of the mini corpus.
set -euo pipefail

data="" nj=2 musan_root=- rirs_root=- max_loss=0.01
made=false             # the seeded material is in <data> already
help_message="Usage: local/prepare_augmentation.sh --data <dir> [options]
Writes <dir>/musan_noise, musan_music, musan_speech (only if MUSAN has speech) and <dir>/rir_sets.
Options (\"-\" means not given):
  --musan-root <dir>   MUSAN; else synthetic noise and music
  --rirs-root <dir>    RIRS_NOISES; else synthetic rooms
  --max-loss <share>   share of the files that may be lost (default 0.01)
  --nj <n>             number of jobs (default 2)
  --made true|false    the synthetic material is already in <dir> (default false)"

. ./path.sh
. utils/parse_options.sh
if [ $# -ne 0 ] || [ -z "$data" ]; then
  echo "$help_message" >&2
  exit 1
fi
if [ "$made" != true ] && { [ "$musan_root" = - ] || [ "$rirs_root" = - ]; }; then
  seeded=""
  if [ "$musan_root" = - ]; then seeded+="no --musan-root: seeded noise and music; "; fi
  if [ "$rirs_root" = - ]; then seeded+="no --rirs-root: seeded rooms"; fi
  echo "prepare_augmentation.sh: $seeded"
  python3 local/make_mini_corpus.py --only-augmentation --nj "$nj" "$data/audio" "$data"
fi
if [ "$musan_root" != - ]; then
  python3 local/make_musan.py --max-loss "$max_loss" --root "$musan_root" "$data/musan"
else
  rm -rf "$data/musan_speech"        # of an earlier MUSAN: stage 2 would use its voices for babble
fi
if [ "$rirs_root" != - ]; then
  python3 local/make_rirs.py --max-loss "$max_loss" --root "$rirs_root" "$data/rir_list"
fi
