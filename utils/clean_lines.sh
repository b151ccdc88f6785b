# shellcheck shell=bash
# Sourced by shell scripts that read a list or an option file: the rule of common/text_lines.py, in bash.

clean_lines() {  # <file> <array>: sets the array to the file's lines without byte order mark and CR, each reported once
  local _path=$1 _text _ends='' _mark=$'\xef\xbb\xbf' LC_ALL=C
  local -n _clean=$2
  _clean=()
  while IFS= read -r _text || [ -n "$_text" ]; do
    if [ ${#_clean[@]} = 0 ] && [[ $_text == $'\xff\xfe'* || $_text == $'\xfe\xff'* ]]; then
      echo "$(basename "$0"): $_path:1: the file is UTF-16, by its byte order mark; save it as UTF-8" >&2
      return 1
    fi
    if [ ${#_clean[@]} = 0 ] && [[ $_text == "$_mark"* ]]; then
      _text=${_text#"$_mark"}
      echo "$(basename "$0"): $_path: the file begins with a byte order mark; read without it" >&2
    fi
    if [[ $_text == *$'\r' ]]; then
      _text=${_text%$'\r'}
      if [ -z "$_ends" ]; then echo "$(basename "$0"): $_path: line ends are CRLF; read as if they were LF" >&2; fi
      _ends=CRLF
    fi
    _clean+=("$_text")
  done < "$_path"
}
