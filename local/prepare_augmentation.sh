#!/usr/bin/env bash
# Noise, music, speech and rooms for augmentation: MUSAN and RIRS_NOISES where given, else the mini corpus's seeded ones.
set -euo pipefail

data="" nj=2 musan_root=- rirs_root=- max_loss=0.01
made=false             # the seeded material is in <data> already
help_message="Usage: local/prepare_augmentation.sh --data <dir> [--musan-root <dir>] [--rirs-root <dir>] [--max-loss <share>] [--nj <n>]
Writes <dir>/musan_noise, musan_music, musan_speech (with MUSAN's speech only) and <dir>/rir_sets; \"-\" is as if not given."

. ./path.sh
. utils/parse_options.sh
if [ $# -ne 0 ] || [ -z "$data" ]; then
  echo "$help_message" >&2
  exit 1
fi
if [ "$made" != true ] && { [ "$musan_root" = - ] || [ "$rirs_root" = - ]; }; then
  echo "prepare_augmentation.sh: $([ "$musan_root" != - ] || echo "no --musan-root: seeded noise and music; ")$([ "$rirs_root" != - ] || echo "no --rirs-root: seeded rooms")"
  python3 local/make_mini_corpus.py --only-augmentation --nj "$nj" "$data/audio" "$data"
fi
if [ "$musan_root" != - ]; then
  python3 local/make_musan.py --max-loss "$max_loss" --root "$musan_root" "$data/musan"
else
  rm -rf "$data/musan_speech"        # of an earlier MUSAN: stage 2 would take its voices for babble
fi
if [ "$rirs_root" != - ]; then python3 local/make_rirs.py --max-loss "$max_loss" --root "$rirs_root" "$data/rir_list"; fi
