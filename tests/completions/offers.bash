# offers.bash COMPLETIONS BASH_COMPLETION WORD...: what completing the last word of the line
# `vastrace WORD...` offers, a line each. BASH_COMPLETION is that package's file, or empty.
compopt() { :; } # bash allows it only while a key is handled
# shellcheck disable=SC1090 # these files are the caller's
[[ -z $2 ]] || . "$2"
# shellcheck disable=SC1090
. "$1"
complete -W 'alpha beta' sample-program
shift 2
COMP_WORDS=(vastrace "$@")
COMP_CWORD=$#
COMP_LINE="vastrace $*"
COMP_POINT=${#COMP_LINE}
COMP_TYPE=9
_vastrace
printf '%s\n' "${COMPREPLY[@]}"
