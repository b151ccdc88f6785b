# shellcheck shell=bash
# Sourced by a script after its variables have their defaults. Sets them from the command line, and shifts the options
# away. The form of Kaldi's parse_options.sh, except for `--name=value` and for this: nothing is evaluated. A value is
# only stored, and a config file is read, not sourced.
#
#   nj=4; cmd=utils/run.pl; opts=()
#   help_message="Usage: …"
#   . utils/parse_options.sh        # then $1, $2 … are the arguments
#
# --name value, --name=value   set the variable; a dash in a name is an underscore. If the default is true or false, the
#                              value must be one of the two. If it is an array (opts=()), each value is added to it.
# --config file                lines `name=value`, read before the other options; # begins a comment, quotes may enclose
#                              a value. A script with a variable `config` gets the name of the file as well, and only
#                              the name if the file holds something else, such as options of a Kaldi program.
# --help, -h                   print $help_message; the script ends with code 0
# --                           ends the options
# Any other option, or one without a variable in the script, is an error that names it, code 1.

# shellcheck source=utils/clean_lines.sh
. "$(dirname "${BASH_SOURCE[0]}")/clean_lines.sh"

_parse_options_fail() {
  echo "$(basename "$0"): $1" >&2
  exit 1
}

_parse_options_set() {  # <where> <name as given> <value>
  local _name=${2//-/_} _declared _flags
  if ! [[ $_name =~ ^[a-z][A-Za-z0-9_]*$ ]] || ! _declared=$(declare -p "$_name" 2>&1); then
    _parse_options_fail "$1: invalid option --$2; run $(basename "$0") --help for those it has"
  fi
  _flags=${_declared#declare -} _flags=${_flags%% *}
  if [[ $_flags == *r* ]]; then _parse_options_fail "$1: --$2 cannot be set: $_name is read-only"; fi
  if [[ $_flags == *a* ]]; then
    local -n _array=$_name
    _array+=("$3")
    return
  fi
  if [[ ${!_name-} == true || ${!_name-} == false ]] && [[ $3 != true && $3 != false ]]; then
    _parse_options_fail "$1: expected \"true\" or \"false\", found --$2 \"$3\""
  fi
  printf -v "$_name" %s "$3"
}

_parse_options_config() {  # <file>
  local _line _number=0 _found=0
  local _quoted="\"([^\"]*)\"|'([^']*)'|([^\"'#[:space:]]*)"
  local _assignment="^[[:space:]]*([A-Za-z][A-Za-z0-9_-]*)=($_quoted)[[:space:]]*(#.*)?\$"
  local LC_ALL=C _lines=()      # a no-break space is no [[:space:]], whatever the locale
  if [ ! -r "$1" ]; then _parse_options_fail "--config $1: no such file"; fi
  clean_lines "$1" _lines || exit 1
  for _line in "${_lines[@]}"; do
    _number=$((_number + 1))
    if [[ $_line =~ ^[[:space:]]*(#.*)?$ ]]; then continue; fi
    if [[ $_line =~ $_assignment ]]; then
      _found=1
      _parse_options_set "$1:$_number" "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}${BASH_REMATCH[4]}${BASH_REMATCH[5]}"
    elif [ "$_found" = 0 ] && [ -n "${config+declared}" ]; then
      return 0
    else
      _parse_options_fail "$1:$_number: found \"$_line\", expected name=value"
    fi
  done
}

_parse_options_configs() {  # "$@": reads every --config, so that the command line has the last word
  while [ $# -gt 0 ]; do
    case $1 in
      --config=*) _parse_options_config "${1#*=}" ;;
      --config)
        if [ $# -lt 2 ]; then _parse_options_fail "--config needs a file"; fi
        _parse_options_config "$2"
        shift ;;
      -- | [!-]* | '') return 0 ;;
      --*=* | --help | -h) ;;
      --*) if [ $# -gt 1 ]; then shift; fi ;;
    esac
    shift
  done
}

_parse_options_configs "$@"

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      if [ -n "${help_message:-}" ]; then printf '%b\n' "$help_message"; else echo "No help found."; fi
      exit 0 ;;
    --) shift; break ;;
    --config)
      if [ -n "${config+declared}" ]; then _parse_options_set "command line" config "${2-}"; fi
      shift 2 || shift ;;
    --config=*)
      if [ -n "${config+declared}" ]; then _parse_options_set "command line" config "${1#*=}"; fi
      shift ;;
    --*=*)
      _parse_options_name=${1%%=*}
      _parse_options_set "command line" "${_parse_options_name#--}" "${1#*=}"
      shift ;;
    --*)
      if [ $# -lt 2 ]; then
        _parse_options_set "command line" "${1#--}" true   # an unknown name is the error that is reported first
        _parse_options_fail "$1 needs a value"
      fi
      _parse_options_set "command line" "${1#--}" "$2"
      shift 2 ;;
    -?*)
      if [[ $1 =~ ^-[0-9.] ]]; then break; fi
      _parse_options_fail "invalid option $1; options begin with two dashes" ;;
    *) break ;;
  esac
done

# An empty --cmd comes of a variable that was never set; the jobs would run as if there were none.
if [ -n "${cmd+declared}" ] && [ -z "$cmd" ]; then _parse_options_fail "empty argument to --cmd"; fi
unset -v _parse_options_name
unset -f _parse_options_fail _parse_options_set _parse_options_config _parse_options_configs
