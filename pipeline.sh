#!/usr/bin/env bash
# From a corpus to a table of speaker-verification results, in 13 stages. ./pipeline.sh --help tells the options.
set -euo pipefail
if [[ ${PIPELINE_RUN-} != "$PPID"-* ]]; then          # utils/guard.py runs this script, and leaves none of its processes
  for python in "$(dirname "${BASH_SOURCE[0]}")/.venv/bin/python3" python3; do
    if command -v "$python" > /dev/null && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
      exec "$python" "$(dirname "${BASH_SOURCE[0]}")/utils/guard.py" "${BASH_SOURCE[0]}" "$@"
    fi
  done
fi
called_from=$PWD          # paths on the command line are relative to it
export PIPELINE_CALLED_FROM=$PWD      # for nnet/config/paths.py
cd "$(dirname "${BASH_SOURCE[0]}")"

. utils/stage_functions.sh
. utils/pipeline_options.sh
. utils/pipeline_checks.sh
parse_pipeline_options "$@"

if [[ $PWD =~ [^[:alnum:]._/+@%=:~-] ]]; then
  die "the checkout lies in \"$PWD\"; its path may hold letters, digits and . _ / + @ % = : ~ - only, as it comes to stand in pipes"
fi
first_stage=${option[stage]} last_stage=${option[stop-stage]} corpus=${option[corpus]} seed=${option[seed]}
force=${option[force]} dry_run=${option[dry-run]} trust_earlier=${option[trust-earlier]} max_loss=${option[max-loss]}
nnet_config=${option[nnet-config]} passed_over=''
if [ -e "${option[exp]}/imported.yaml" ]; then choose_imported "${option[exp]}"; fi

if [ "$dry_run" != true ]; then
  utils/prepare_environment.sh
elif ! utils/prepare_environment.sh --check; then
  die "--dry-run installs nothing, and the packages it needs are not here; run utils/prepare_environment.sh first"
fi
. ./path.sh
nj=${option[nj]/#-/$PIPELINE_CORES}
. ./cmd.sh

# --- names of what goes in and comes out (docs/architecture.md) ---
name=${option[name]}
if [ "$name" = - ]; then
  name=$corpus
  if [ "$corpus" = folder ]; then
    if [ ${#train_roots[@]} -eq 0 ]; then die "--corpus folder needs --train-root and --test-root"; fi
    if [ ! -d "${train_roots[0]}" ]; then die "--train-root is ${train_roots[0]}, which is no folder; expected <root>/<speaker>/**/<audio>"; fi
    name=$(basename "$(cd "${train_roots[0]}/.." && pwd)")
    name=${name//[^[:alnum:]._-]/_}
  elif [ "$corpus" = mini ]; then
    if [ "${option[mini-size]}" = tiny ]; then name+=-tiny; fi
    if [ "${option[mini-seed]}" != - ]; then name+=-seed${option[mini-seed]}; fi
  fi
fi
data=${option[data]/#-/data/$name}
read -ra inference <<< "${option[inference]/#-/}"
network_changes
told=$(python3 -m nnet.config --config "$nnet_config" "${settings[@]}" \
  --get features.type --get features.config --get features.cmvn --get features.vad --get features.frame_rate --get data.source \
  --get features.columns)      # the last only to be checked: the option file against features.dim
{ read -r feats_type; read -r feats_conf; read -r feats_cmvn; read -r feats_vad; read -r frame_rate; read -r source; } <<< "$told"
if [ -z "$passed_over" ]; then choose_shorter; fi
feats_name=$(basename "$feats_conf" .conf)
feats_name=${feats_name//[^[:alnum:]._-]/_}
if [[ $feats_name != "$feats_type"* ]]; then feats_name=$feats_type-$feats_name; fi
if [ "$feats_name" = mfcc ] && ! cmp -s "$feats_conf" conf/mfcc.conf; then
  die "features.config is $feats_conf, and data/<name>/mfcc is made with conf/mfcc.conf; give the file another name"
fi
train_vad=${option[vad-config]}
test_vad=${option[test-vad-config]/#-/$train_vad}
for conf in "$train_vad" "$test_vad"; do
  if [ ! -f "$conf" ]; then die "--vad-config or --test-vad-config is $conf, which is no file; choose one of: $(echo conf/vad*.conf)"; fi
done
feats=$data/$feats_name ready=$data/$feats_name mfcc=$data/mfcc    # ready: what stages 4 and 7 make of the features
if [ "$feats_vad" = false ]; then ready+=-novad; fi
if [ "$feats_cmvn" = false ]; then ready+=-nocmvn; fi
preparation=(--cmvn "$feats_cmvn" --vad "$feats_vad") prepared="voiced frames"
if [ "$feats_vad" = false ]; then prepared="frames"; fi
if [ "$feats_type" = wave ]; then preparation+=(--fit-vad true); fi
min_frames=${option[min-frames]}
if [ "$min_frames" = - ]; then
  min_frames=$(python3 -c 'import sys; print(int(float(sys.argv[1]) * float(sys.argv[2]) + 0.5))' "${option[min-seconds]}" "$frame_rate")
fi
augment=${option[augment]/#-/ondisk} suffix='' augment_file=() not_online=''
if [ "$feats_type" = logmel ]; then
  not_online="has features.type logmel, of another rate than the audio that augmentation while training reads"
elif [ "$augment" = online ] && [ "$source" != wav ]; then
  own=$(python3 -m nnet.config --config "$nnet_config" --get augment 2> /dev/null) || own='{}'    # what is wrong was told above
  if [ "$own" != '{}' ]; then
    not_online="has a section augment, which that of --augment-config would replace (data.source wav would use it as it is)"
  fi
fi
if [ "$source" = wav ]; then
  if [[ ${option[augment]} != @(-|online) ]]; then
    die "$nnet_config has data.source wav: it augments while it reads audio, and --augment $augment has no place there"
  fi
  augment=online
elif [ "$augment" = online ] && [ -n "$not_online" ] && ! on_command_line augment; then
  log "$nnet_config $not_online: augmented copies on disk in its stead, as by --augment ondisk"
  augment=ondisk
fi
if [ "$augment" = online ] && [ -n "$not_online" ]; then die "$nnet_config $not_online; use --augment ondisk"; fi
if [ "$source" != wav ] && [ "$augment" = online ]; then
  augment_config=${option[augment-config]}
  if [ "$called_from" != "$PWD" ] && [ -e "$called_from/$augment_config" ]; then
    augment_config=$PWD/$augment_config            # the default is not the caller's file of that name
  fi
  online=(data.source=wav "augment=$augment_config")
  augment_file=(--input "$augment_config")
fi
network_changes
start_from=$(python3 -m nnet.config --config "$nnet_config" "${settings[@]}" --get training.start_from)
if [ "$source" != wav ] && on_command_line augment; then suffix=-$augment; fi    # beside the experiment of the corpus's own way
exp=${option[exp]/#-/exp/$name-$(basename "$nnet_config" .yaml)$suffix}

tests=()            # names of the test sets: data/<name>/<test>
if [ "$corpus" = folder ]; then
  for root in "${test_roots[@]}"; do
    test=$(basename "$root")
    if [ ${#tests[@]} -eq 0 ]; then test='test'; elif [[ $test != test* ]]; then test=test_$test; fi
    tests+=("$test")
  done
  if [ ${#tests[@]} -eq 0 ] || [ ${#train_roots[@]} -eq 0 ]; then die "--corpus folder needs --train-root and --test-root"; fi
else
  tests=(test)
fi
sets=(train "${tests[@]}")
speed=${option[speed-perturb]} base=train         # what is augmented and trained on: train, or train_sp with its speed copies
if [ "$augment" = online ]; then speed=false; fi  # the copies at other speeds are made while training reads
featured=("${sets[@]}")
if [ "$speed" = true ]; then base=train_sp featured+=(train_speed); fi

paths() {  # <flag> <prefix> <suffix> <set>...: the arguments `flag prefix/set/suffix` of each set, into the array `listed`
  local flag=$1 prefix=$2 suffix=$3 set
  shift 3
  for set in "$@"; do listed+=("$flag" "$prefix$set$suffix"); done
}
run_facts=("data=$data" "mfcc=$mfcc" "feats=$feats" "ready=$ready" "exp=$exp" --skip "$passed_over"
  --corpus "$corpus-${option[mini-size]}" --way "$augment $nnet_config ${corpus_opts[*]-} ${shorter[*]-} ${nnet_opts[*]-}")

check_input

# --- 0: the corpus ---
trees=()            # the audio itself, where it is the user's own: a file mended or added there is to be seen
if [ "$corpus" = folder ]; then
  for root in "${train_roots[@]}" "${test_roots[@]}"; do
    trees+=(--input "$root/**")
    if [ "${option[spk2gender]}" = - ] && [ -e "$root.spk2gender" ]; then trees+=(--input "$root.spk2gender"); fi
  done
  if [ "${option[spk2gender]}" != - ]; then trees+=(--input "${option[spk2gender]}"); fi
fi
listed=(--option "corpus=$corpus" "${trees[@]}")
case $corpus in
  mini) listed+=(--input conf/mini_corpus.yaml --option "size=${option[mini-size]}" --option "seed=${option[mini-seed]}") ;;
  folder)
    listed+=(--option "train_root=${train_roots[*]}" --option "test_roots=${test_roots[*]}" --option "spk2gender=${option[spk2gender]}")
    if [ "${option[trials]}" != - ]; then listed+=(--input "${option[trials]}"); fi ;;
  voxceleb) listed+=(--option "voxceleb1=${option[voxceleb1-root]}" --option "voxceleb2=${option[voxceleb2-root]}" --option "trials=${option[trials]}") ;;
esac
listed+=(--option "musan=${option[musan-root]}" --option "rirs=${option[rirs-root]}" --option "trial_seed=$seed")
paths --output "$data/" "" "${sets[@]}"
if stage 0 "$data" "$corpus corpus -> $data/{$(IFS=,; echo "${sets[*]}")}, noises, rooms" "${listed[@]}" --output "$data/musan_noise" --output "$data/rir_sets"; then
  prepare=(--data "$data" --nj "$nj" --seed "$seed" --max-loss "$max_loss" --musan-root "${option[musan-root]}" --rirs-root "${option[rirs-root]}")
  case $corpus in
    mini) local/prepare_mini.sh "${prepare[@]}" --size "${option[mini-size]}" --mini-seed "${option[mini-seed]}" ;;
    folder)
      for root in "${train_roots[@]}"; do prepare+=(--train-root "$root"); done
      local/prepare_folder.sh "${prepare[@]}" --trials "${option[trials]}" \
        --spk2gender "${option[spk2gender]}" --tests "${tests[*]}" "${test_roots[@]}" ;;
    voxceleb)
      local/prepare_voxceleb.sh "${prepare[@]}" --trials "${option[trials]}" "${option[voxceleb1-root]}" "${option[voxceleb2-root]}" ;;
  esac
  stage_done
fi
check_usable_speakers

# --- 1: features and voice activity ---
listed=("${trees[@]}" --input conf/mfcc.conf --input "$train_vad" --option "test_vad=$test_vad" --input "$test_vad" --option "speed_perturb=$speed")
paths --input "$data/" /wav.scp "${sets[@]}"
paths --output "$mfcc/" "" "${featured[@]}"
combine_speed_copies() { utils/combine_data.sh --extra-files "utt2num_frames utt2dur reco2dur" "$1/train_sp" "$1/train" "$1/train_speed"; }
if stage 1 "$mfcc" "audio -> MFCC, energy VAD" "${listed[@]}"; then
  for set in "${featured[@]}"; do
    if [ "$set" = train_speed ]; then
      steps/make_speed_copies.sh "$data/train" "$mfcc/train_speed"
    else
      steps/copy_for_features.sh "$data/$set" "$mfcc/$set"
    fi
    steps/make_mfcc.sh --nj "$nj" --cmd "$train_cmd" --max-loss "$max_loss" --label "stage 1: MFCC of $set" "$mfcc/$set" "$mfcc/log" "$mfcc/ark"
    vad=$train_vad
    if [[ " ${tests[*]} " == *" $set "* ]]; then vad=$test_vad; fi
    steps/compute_vad_decision.sh --vad-config "$vad" --nj "$nj" --cmd "$train_cmd" --max-loss "$max_loss" \
      "$mfcc/$set" "$mfcc/log" "$mfcc/ark"
    utils/fix_data_dir.sh "$mfcc/$set"
  done
  if [ "$speed" = true ]; then combine_speed_copies "$mfcc"; fi
  stage_done
fi
if [ "$feats" != "$mfcc" ]; then
  listed=(--input "$feats_conf")
  paths --input "$mfcc/" "" "${featured[@]}"
  paths --output "$feats/" "" "${featured[@]}"
  if stage 1 "$feats" "audio -> $feats_type, with the MFCC's VAD" "${listed[@]}"; then
    for set in "${featured[@]}"; do
      steps/copy_for_features.sh "$mfcc/$set" "$feats/$set"
      steps/make_feats.sh --type "$feats_type" --feats-config "$feats_conf" --nj "$nj" --cmd "$train_cmd" --max-loss "$max_loss" \
        --label "stage 1: $feats_type of $set" "$feats/$set" "$feats/log" "$feats/ark"
      utils/fix_data_dir.sh "$feats/$set"
    done
    if [ "$speed" = true ]; then combine_speed_copies "$feats"; fi
    stage_done
  fi
fi

# --- 2: augmented copies, as pipes ---
copies=("${base}_reverb" "${base}_noise" "${base}_music" "${base}_babble" "${base}_aug")
listed=(--option "seed=$seed" --input "$feats/$base" --input "$data/musan_noise" --input "$data/musan_music" --input "$data/rir_sets" --input "$data/rir_list")
paths --output "$feats/" "" "${copies[@]}"
noises=(--noise-dir "$data/musan_noise" --music-dir "$data/musan_music")
if [ -d "$data/musan_speech" ]; then
  listed+=(--input "$data/musan_speech")
  noises+=(--speech-dir "$data/musan_speech")
fi
if [ "$augment" = ondisk ] && stage 2 "$feats" "$feats/$base -> reverberated, noise, music and babble copies" "${listed[@]}"; then
  steps/augment_data.sh --seed "$seed" --rir-sets "$data/rir_sets" "${noises[@]}" "$feats/$base"
  stage_done
fi

# --- 3: features of some of them, combined with the clean ones ---
num_augmented=${option[num-augmented]}
listed=(--input "$feats/${base}_aug")
if [ "$augment" = none ]; then num_augmented=0 listed=(); fi
if [ "$augment" != online ] && stage 3 "$feats" "${base}_aug -> ${base}_aug_subset -> train_combined" --option "num_augmented=$num_augmented" \
  "${listed[@]}" --input "$feats/$base" --input "$feats_conf" --output "$feats/${base}_aug_subset" --output "$feats/train_combined"; then
  steps/combine_augmented.sh --type "$feats_type" --feats-config "$feats_conf" --nj "$nj" --cmd "$train_cmd" --max-loss "$max_loss" \
    --label "stage 3: $feats_type of augmented copies" "$num_augmented" "$feats/$base" "$feats/${base}_aug" "$feats/train_combined"
  stage_done
fi

# --- 4: sliding mean normalisation, voiced frames ---
voiced_frames_of_clean_sets() {  # <stage>: what the network is to embed
  local set
  listed=()
  paths --input "$feats/" "" "${sets[@]}"
  paths --output "$ready/" _no_sil "${sets[@]}"
  if stage "$1" "$ready" "clean train and test -> $prepared" "${listed[@]}"; then
    for set in "${sets[@]}"; do
      steps/prepare_feats.sh "${preparation[@]}" --nj "$nj" --cmd "$train_cmd" --max-loss "$max_loss" \
        --label "stage ${1%/*}: $prepared of $set" "$feats/$set" "$ready/${set}_no_sil" "$ready/no_sil"
    done
    stage_done
  fi
}
if [ "$augment" = online ]; then
  voiced_frames_of_clean_sets 4/7
elif stage 4 "$ready" "train_combined -> train_combined_no_sil" --input "$feats/train_combined" --output "$ready/train_combined_no_sil"; then
  steps/prepare_feats.sh "${preparation[@]}" --nj "$nj" --cmd "$train_cmd" --max-loss "$max_loss" --label "stage 4: $prepared" \
    "$feats/train_combined" "$ready/train_combined_no_sil" "$ready/no_sil"
  stage_done
fi

# --- 5: training lists ---
lists=$ready/lists voiced=$ready/train_combined_no_sil marker=5 audio=()
listed=()
if [ "$augment" = online ]; then
  lists=$ready/lists_online voiced=$ready/train_no_sil marker=5/5_online
  audio=(--audio-dir "$feats/train" --rir-sets "$data/rir_sets" "${noises[@]}")
  for ((i = 1; i < ${#audio[@]}; i += 2)); do listed+=(--input "${audio[i]}"); done
  listed+=(--input "$data/rir_list")    # rir_sets only names the lists; all their rooms are in this one
fi
if stage "$marker" "$ready" "$(basename "$voiced") -> lists of training and held-out utterances" --option "min_frames=$min_frames" \
  --option "min_utts=${option[min-utts]}" --option "valid_share=${option[valid-share]}" --option "seed=$seed" \
  --input "$voiced" "${listed[@]}" --output "$lists"; then
  steps/make_training_lists.sh --cmd "$train_cmd" --min-frames "$min_frames" --min-utts "${option[min-utts]}" \
    --valid-share "${option[valid-share]}" --seed "$seed" "${audio[@]}" "$voiced" "$lists"
  stage_done
fi

# --- 6: training ---
start=()
if [ -e "$start_from" ]; then start=(--input "$start_from"); fi     # it may be gone once training has begun
if stage 6 "$exp" "$nnet_config -> $exp" --input "$nnet_config" "${augment_file[@]}" "${start[@]}" --option "overrides=${overrides[*]}" --input "$lists" \
  --output "$exp/config.yaml" --output "$exp/best.pt"; then
  utils/wait_until_free.sh "$exp"
  begun=$exp/.stages/training_begun.json         # what an earlier training that is to be taken up was fed with
  if [ -e "$exp/last.pt" ] && ! why=$(utils/stage_marker.py check "$begun" --input "$lists"); then
    die "$exp/last.pt was trained on other features or lists ($why); give another --exp, or remove last.pt and best.pt there to start anew"
  fi
  utils/stage_marker.py write "$begun" --input "$lists"
  steps/train_nnet.sh --cmd "$cuda_cmd" --device "${option[device]}" --label "stage 6: training" "$nnet_config" "$lists" "$exp" "${overrides[@]}"
  stage_done
fi

# --- 7: what the network is to embed ---
voiced_frames_of_clean_sets 7

# --- 8: embeddings, of the network and of the two baselines without one ---
systems=("$exp" "$exp/baseline" "$exp/baseline_cmvn")
per_system() {  # <flag> <sub-path of a system>: into `listed`
  local system
  for system in "${systems[@]}"; do listed+=("$1" "$system/$2"); done
}
listed=(--input "$exp/best.pt") taken=()
if [ "${option[inference]}" != - ]; then
  listed+=(--option "inference=${inference[*]}")
  taken=(--inference "${inference[*]}")
fi
paths --input "$ready/" _no_sil/feats.scp "${sets[@]}"
paths --input "$mfcc/" /feats.scp "${sets[@]}"
for set in "${sets[@]}"; do per_system --output "embeddings_$set/embedding.scp"; done
if stage 8 "$exp" "voiced frames -> embeddings; mean and std of MFCC frames as baselines" "${listed[@]}"; then
  for set in "${sets[@]}"; do
    steps/extract_embeddings.sh --nj 1 --cmd "$cuda_cmd" --device "${option[device]}" --max-loss "$max_loss" "${taken[@]}" \
      --label "stage 8: embeddings of $set" "$exp" "$ready/${set}_no_sil" "$exp/embeddings_$set"
    steps/make_statistics_embeddings.sh --cmd "$train_cmd" --max-loss "$max_loss" "$mfcc/$set" "$exp/baseline/embeddings_$set"
    steps/make_statistics_embeddings.sh --cmd "$train_cmd" --max-loss "$max_loss" --cmvn true "$mfcc/$set" "$exp/baseline_cmvn/embeddings_$set"
  done
  stage_done
fi

# --- 9: enrolment models ---
listed=()
for test in "${tests[@]}"; do
  per_system --input "embeddings_$test/embedding.scp"
  per_system --output "enroll_$test/spk_embedding.scp"
done
per_system --output "embeddings_train/spk_embedding.scp"
if stage 9 "$exp" "embeddings -> speaker means, enrolment models, num_utts" "${listed[@]}"; then
  for system in "${systems[@]}"; do
    utils/filter_scp.pl "$system/embeddings_train/embedding.scp" "$data/train/utt2spk" | utils/utt2spk_to_spk2utt.pl > "$system/embeddings_train/spk2utt"
    steps/make_speaker_models.sh --cmd "$train_cmd" "$system/embeddings_train/spk2utt" "$system/embeddings_train/embedding.scp" "$system/embeddings_train"
    for test in "${tests[@]}"; do
      steps/make_enrollment.sh --cmd "$train_cmd" "$data/$test" "$system/embeddings_$test/embedding.scp" "$system/enroll_$test"
    done
  done
  stage_done
fi

# --- 10: back end ---
listed=()
per_system --input "embeddings_train/embedding.scp"
per_system --output "backend/plda"
if stage 10 "$exp" "training embeddings -> mean, LDA, PLDA" --option "lda_dim=${option[lda-dim]}" "${listed[@]}"; then
  for system in "${systems[@]}"; do
    steps/train_backend.sh --cmd "$train_cmd" --lda-dim "${option[lda-dim]}" "$data/train" "$system/embeddings_train/embedding.scp" "$system/backend"
  done
  stage_done
fi

# --- 11: scores ---
scores=(plda lda_cosine cosine cosine_asnorm)
cohort=embeddings_train/spk_embedding.scp
if [ "${option[asnorm-cohort]}" = utterances ]; then cohort=embeddings_train/embedding.scp; fi
listed=()
per_system --input "backend/plda"
per_system --input "$cohort"
for test in "${tests[@]}"; do
  listed+=(--input "$data/$test/trials")
  per_system --input "enroll_$test/spk_embedding.scp"
  for kind in "${scores[@]}"; do per_system --output "scores/${test}_$kind"; done
done
if stage 11 "$exp" "trials -> PLDA, LDA-cosine and cosine scores, the last also normalised" --option "cohort=$cohort" "${listed[@]}"; then
  for system in "${systems[@]}"; do
    for test in "${tests[@]}"; do
      ends=("$system/backend" "$system/enroll_$test" "$system/embeddings_$test/embedding.scp" "$data/$test/trials")
      steps/score_plda.sh --cmd "$train_cmd" "${ends[@]}" "$system/scores/${test}_plda"
      steps/score_cosine.sh --cmd "$train_cmd" --lda true "${ends[@]}" "$system/scores/${test}_lda_cosine"
      steps/score_cosine.sh --cmd "$train_cmd" "${ends[@]}" "$system/scores/${test}_cosine"
      steps/score_cosine.sh --cmd "$train_cmd" --cohort "$system/$cohort" "${ends[@]}" "$system/scores/${test}_cosine_asnorm"
    done
  done
  stage_done
fi

# --- 12: results ---
listed=()
for test in "${tests[@]}"; do
  listed+=(--input "$data/$test/trials")
  for kind in "${scores[@]}"; do per_system --input "scores/${test}_$kind"; done
done
if stage 12 "$exp" "scores -> $exp/RESULTS.md" --option "bootstrap=${option[bootstrap]}" "${listed[@]}" --output "$exp/RESULTS.md"; then
  command="./pipeline.sh$(quoted "$@")"
  steps/report.sh --bootstrap "${option[bootstrap]}" --seed "$seed" --command "$command" \
    --times "$(utils/stage_times.py total "${run_facts[@]}")" "$data" "$exp" "${tests[@]}"
  stage_done
fi
if [ "$dry_run" != true ] && [ "$last_stage" -ge 12 ]; then cat "$exp/RESULTS.md"; fi
