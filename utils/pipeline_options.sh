# shellcheck shell=bash disable=SC2034
# Sourced by pipeline.sh, which sets called_from: its options, their defaults, and how they are read. An unknown option, corpus or key is an error
# that lists the choices. Order of precedence: command line, conf/pipeline/<corpus>.conf, the defaults here;
# nnet-opts add up, and win key by key.

. utils/clean_lines.sh

# name            default      what it is
_option_table='
stage             0            first stage to run (0-12)
stop-stage        12           last stage to run
corpus            mini         mini, folder or voxceleb
name              -            name of the data, data/<name>; default: the corpus, or the folder that holds --train-root
data              -            where the data directories go; default data/<name>
exp               -            where the experiment goes; default exp/<name>-<config>
nnet-config       -            conf/nnet/<row>.yaml: encoder, pooling, loss, schedule
nnet-opts         -            key.sub=value, changes one key of it; may be given again, and is added to what conf/pipeline/<corpus>.conf changes
max-steps         -            training steps at most; of a run that asks for more, batch and chunks are cut too (python3 -m nnet.shorten); mini: 2000
inference         -            "key=value ...", how embeddings are taken, e.g. "mode=windows window=150"; no new training
nj                -            jobs at once; default: the number of cores
seed              1            of augmentation, held-out split and training
device            auto         auto, cpu, cuda or cuda:<n>
mini-size         full         full or tiny (a minute from end to end)
mini-seed         -            generator seed of the mini corpus; default: conf/mini_corpus.yaml
train-root        -            folder: <root>/<speaker>/**/<audio> to train on; may be given again, all are one corpus
test-root         -            folder: the same, of unseen speakers; may be given again, each is a test set
trials            -            trials file: ids or paths relative to --test-root; default: a seeded, balanced list
spk2gender        -            speaker m|f, for both roots; default <root>.spk2gender where it is there
voxceleb1-root    -            voxceleb: wav/id10001/... (or the old voxceleb1_wav/<Name>/...)
voxceleb2-root    -            voxceleb: dev/aac/id.../... (m4a, by ffmpeg) or a converted wav tree
musan-root        -            MUSAN; default: the seeded noise and music of the mini corpus
rirs-root         -            RIRS_NOISES; default: the seeded rooms of the mini corpus
speed-perturb     -            true: train on copies at 0.9 and 1.1 times the speed too, as speakers of their own (online: --augment-config says)
augment           -            ondisk, online (while training reads audio) or none; default online for mini and folder corpora, and where the YAML says so
augment-config    conf/augment/kaldi.yaml   online: which augmentation, conf/augment/<row>.yaml
vad-config        conf/vad.conf   options of compute-vad
test-vad-config   -            the same for the test sets, where they are noisier than the training data; default --vad-config
num-augmented     -            ondisk: augmented utterances in training (0: none), or 2x: twice the clean ones
min-seconds       1            speech that a training utterance must have, less its pauses where features.vad is true
min-frames        -            the same in frames of the features, in place of --min-seconds
min-utts          -            utterances that a training speaker must have
valid-share       0.1          share of source recordings held out for choosing the best model
lda-dim           -            LDA dimension at most
asnorm-cohort     speakers     AS-norm measures scores against the means of the training speakers, or against their utterances (surer with few speakers)
max-loss          0.01         share of utterances a stage may lose
bootstrap         1000         resamples of the speakers for the 95 % intervals
force             false        run the stages even where they are up to date
trust-earlier     false        use the files of the stages before --stage as they are
dry-run           false        print the stages with inputs, outputs and sizes; run nothing
'
_repeatable=' nnet-opts train-root test-root '
_flags=' force trust-earlier dry-run '
_corpora='folder mini voxceleb'
declare -A option=() _found_in=()
declare -a nnet_opts=() train_roots=() test_roots=()
declare -a corpus_opts=() _corpus_opts_in=()       # nnet-opts of conf/pipeline/<corpus>.conf, and file:line of each
declare -a inference=() online=() shorter=() at_most=() overrides=() settings=()

pipeline_usage() {
  cat <<'EOF'
Usage: ./pipeline.sh [options]

  ./pipeline.sh                                               the mini corpus, from nothing to a table of results
  ./pipeline.sh --stage 6 --nnet-config conf/nnet/lde3.yaml   another network on the same data
  ./pipeline.sh --corpus folder --train-root T --test-root E  your own audio
  ./pipeline.sh --exp exp/published                           a network of python3 -m nnet.import_checkpoint, which is not trained
  ./pipeline.sh --corpus voxceleb --voxceleb1-root A --voxceleb2-root B --musan-root C --rirs-root D

Stages: 0 corpus  1 features, VAD  2 augmented copies  3 their features  4 CMVN, voiced frames  5 training lists
        6 training  7 test features  8 embeddings  9 models  10 LDA, PLDA  11 scores  12 results
A stage that is up to date is not run again. Real Kaldi answers where KALDI_ROOT has the commands.
Relative paths are those of the directory you call from. A configuration (--nnet-config, --augment-config, --vad-config,
--test-vad-config, and the files that --nnet-opts or a YAML of yours name) is looked for there first, then in the
checkout, so that conf/... works from anywhere; what a YAML of the checkout names is the checkout's.

Options (--name value or --name=value; "-" stands for the default that is told):
EOF
  echo "$_option_table" | while read -r name default about; do
    if [ -n "$name" ]; then printf '  --%-16s %-6s %s\n' "$name" "$default" "$about"; fi
  done
}

_option_names() { echo "$_option_table" | while read -r name _; do if [ -n "$name" ]; then echo -n "--$name "; fi; done; }

_set_option() {  # <name> <value> <where it was found>: checks the name and the value
  local name=$1 value=$2 where=$3 change
  if [ -z "$name" ] || [ -z "${option[$name]+known}" ]; then die "$where: --$name is unknown; choose from: $(_option_names)"; fi
  case $name in
    data | exp | nnet-config | augment-config | vad-config | test-vad-config | *-root | trials | spk2gender)
      if [ "$where" = "command line" ] && [ "${called_from:?}" != "$PWD" ] && [[ $value != [/-]* ]]; then
        # A configuration that the caller does not have is the checkout's.
        if [[ $name != *-config ]] || [ -e "$called_from/$value" ]; then value=$called_from/$value; fi
      fi ;;
  esac
  case $name in
    stage | stop-stage)
      if ! [[ $value =~ ^([0-9]|1[0-2])$ ]]; then die "$where: --$name is \"$value\"; choose a stage from 0 to 12"; fi ;;
    device)
      if ! [[ $value =~ ^(auto|cpu|cuda(:[0-9]+)?)$ ]]; then die "$where: --device is \"$value\"; choose auto, cpu, cuda or cuda:<n>"; fi ;;
    inference)
      for change in ${value/#-/}; do
        if [[ $change != ?*=* ]]; then die "$where: --inference has \"$change\", expected key=value, e.g. \"mode=windows window=150 step=75\""; fi
      done ;;
    max-steps)
      if ! [[ $value =~ ^([1-9][0-9]*|-)$ ]]; then die "$where: --max-steps is \"$value\", expected is a whole number of at least 1, or - for no limit"; fi ;;
    nj | bootstrap)
      if ! [[ $value =~ ^[1-9][0-9]*$ ]]; then die "$where: --$name is \"$value\", expected is a whole number of at least 1"; fi ;;
    seed | mini-seed | min-frames | min-utts | lda-dim)
      if ! [[ $value =~ ^[0-9]+$ ]]; then die "$where: --$name is \"$value\", expected is a whole number"; fi ;;
    num-augmented)
      if ! [[ $value =~ ^[0-9]+x?$ ]]; then die "$where: --$name is \"$value\", expected is a number, or e.g. 2x"; fi ;;
    min-seconds)
      if ! [[ $value =~ ^([0-9]+(\.[0-9]*)?|\.[0-9]+)$ ]]; then die "$where: --$name is \"$value\", expected is a number of seconds"; fi ;;
    max-loss | valid-share)
      if ! [[ $value =~ ^(0(\.[0-9]*)?|1(\.0*)?|\.[0-9]+)$ ]]; then die "$where: --$name is \"$value\", expected is a share from 0 to 1"; fi ;;
    corpus)
      if [[ " $_corpora " != *" $value "* ]]; then die "$where: --corpus is \"$value\"; choose one of: $_corpora"; fi ;;
    name | data | exp)                            # they come to stand in pipes, where a shell parts words
      if ! [[ $value =~ ^[[:alnum:]._/+@%=:~-]+$ ]]; then
        die "$where: --$name is \"$value\"; it may hold letters, digits and . _ / + @ % = : ~ - only"
      fi ;;
    augment)
      if [[ $value != @(ondisk|online|none) ]]; then die "$where: --augment is \"$value\"; choose ondisk, online or none"; fi ;;
    asnorm-cohort)
      if [[ $value != @(speakers|utterances) ]]; then die "$where: --asnorm-cohort is \"$value\"; choose speakers or utterances"; fi ;;
    mini-size)
      if [ "$value" != full ] && [ "$value" != tiny ]; then die "$where: --mini-size is \"$value\"; choose full or tiny"; fi ;;
    force | trust-earlier | dry-run | speed-perturb)
      if [ "$value" != true ] && [ "$value" != false ]; then die "$where: --$name is \"$value\"; choose true or false"; fi ;;
  esac
  case $name in
    nnet-opts)
      if [ "$where" != "command line" ]; then
        corpus_opts+=("$value") _corpus_opts_in+=("$where")
        return
      fi
      nnet_opts+=("$value") ;;
    test-root) test_roots+=("${value%/}") ;;
    train-root) value=${value%/} train_roots+=("$value") ;;      # <root>.spk2gender stands beside it
  esac
  if [[ $_repeatable != *" $name "* ]] && [ -n "${_found_in[$name]-}" ] && [ "${option[$name]}" != "$value" ]; then
    case $name in
      *-root | trials | spk2gender) die "$where: --$name is given twice, as ${option[$name]} and $value; keep one" ;;
    esac
    log "$where: --$name is given twice: $value is taken, ${option[$name]} is not"
  fi
  option[$name]=$value _found_in[$name]=$where
}

on_command_line() { [ "${_found_in[$1]-}" = "command line" ]; }    # <option>: whether it was given there

_change() { overrides+=("$2") settings+=(--set-as "$1" "$2"); }      # <as it was given> <section.key=value>

# -> overrides: changes of the YAML, the last win; settings: the same for nnet.config, each as it was given
network_changes() {
  local i change
  overrides=() settings=()
  _change "--seed ${option[seed]}" "training.seed=${option[seed]}"
  for change in "${online[@]}"; do
    case $change in
      augment=*) _change "--augment-config ${change#*=}" "$change" ;;
      *) _change "--augment online" "$change" ;;
    esac
  done
  for i in "${!corpus_opts[@]}"; do
    _change "${_corpus_opts_in[i]}: nnet_opts=${corpus_opts[i]}" "${corpus_opts[i]}"
  done
  for change in "${shorter[@]}"; do _change "--max-steps ${option[max-steps]}" "$change"; done
  for change in "${nnet_opts[@]}"; do _change "--nnet-opts $change" "$change"; done
  for change in "${at_most[@]}"; do _change "--max-steps ${option[max-steps]}" "$change"; done
  for change in "${inference[@]}"; do            # only to be checked: they change no training
    settings+=(--set-as "--inference $change" "inference.$change")
  done
}

_steps_are_given() {  # whether --nnet-opts of the command line sets training.steps
  local change
  for change in "${nnet_opts[@]}"; do
    if [[ $change == training?(.steps)=* ]]; then return 0; fi
  done
  return 1
}

# Sets shorter and at_most: what --max-steps changes. Steps on the command line win over the corpus file's --max-steps.
choose_shorter() {
  local told most=${option[max-steps]}
  if [ "$most" = - ] || { _steps_are_given && ! on_command_line max-steps; }; then return; fi
  told=$(python3 -m nnet.shorten --config "$nnet_config" "${settings[@]}" --max-steps "$most")
  if [ -z "$told" ]; then return; fi
  mapfile -t shorter <<< "$told"
  if _steps_are_given; then at_most=("training.steps=$most"); fi
  log "$nnet_config asks for more than the $most steps of --max-steps, and is changed: ${shorter[*]}"
}

choose_imported() {  # <exp>: its network is there already (python3 -m nnet.import_checkpoint); sets nnet_config, passed_over
  if on_command_line nnet-config && [ "${option[nnet-config]}" != "$1/config.yaml" ]; then
    die "--exp $1 holds an imported network with a config of its own; leave out --nnet-config"
  fi
  if on_command_line nnet-opts; then die "--nnet-opts changes nothing of the imported network in $1; --inference changes how embeddings are taken"; fi
  nnet_config=$1/config.yaml passed_over=' 2 3 4 5 6 ' nnet_opts=() corpus_opts=()
  option[speed-perturb]=false option[augment]=-     # what training alone needs
}

_read_corpus_conf() {  # <file>: key=value lines for what the command line left open.
  local file=$1 line key value number=0 lines=()
  clean_lines "$file" lines || exit 1
  for line in "${lines[@]}"; do
    number=$((number + 1))
    line=${line%%#*}
    if [ -z "${line//[[:space:]]/}" ]; then continue; fi
    read -r key <<< "${line%%=*}"
    if [[ $line != *=* ]] || ! [[ $key =~ ^[a-z][a-z0-9_-]*$ ]]; then die "$file:$number: found \"$line\", expected key=value"; fi
    read -r value <<< "${line#*=}"
    key=${key//_/-}
    if [ "$key" = nnet-opts ] || ! on_command_line "$key"; then _set_option "$key" "$value" "$file:$number"; fi
  done
}

parse_pipeline_options() {  # "$@" of pipeline.sh -> the array `option`, nnet_opts, train_roots, test_roots
  local name default argument
  while read -r name default _; do
    if [ -n "$name" ]; then option[$name]=$default; fi
  done <<< "$_option_table"
  while [ $# -gt 0 ]; do
    argument=$1
    shift
    case $argument in
      -h | --help) pipeline_usage; exit 0 ;;
      --*=*) name=${argument%%=*}; _set_option "${name#--}" "${argument#*=}" "command line" ;;
      --*)
        name=${argument#--}
        if [[ $_flags == *" $name "* ]] && [[ ${1-} != true && ${1-} != false ]]; then
          _set_option "$name" true "command line"
        elif [ -n "$name" ] && [ -n "${option[$name]+known}" ]; then
          if [ $# -eq 0 ]; then die "--$name needs a value"; fi
          _set_option "$name" "$1" "command line"
          shift
        else
          _set_option "$name" "" "command line"
        fi ;;
      *) die "found \"$argument\", expected an option; ./pipeline.sh --help lists them" ;;
    esac
  done
  local size=""
  if [ "${option[corpus]}" = mini ] && [ "${option[mini-size]}" = tiny ]; then size=-tiny; fi
  _read_corpus_conf "conf/pipeline/${option[corpus]}$size.conf"
  if on_command_line min-seconds && ! on_command_line min-frames; then option[min-frames]=-; fi    # the corpus file's
}
