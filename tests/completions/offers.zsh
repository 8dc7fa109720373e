# offers.zsh FOLDER LINE...: what zsh offers, with the completions in FOLDER, when Tab is pressed
# behind each line, a line each and an empty one behind. An interactive zsh in a pseudo terminal is
# asked; its compadd says what it was given.
zmodload zsh/zpty
zpty shell zsh -f -i
setup='PROMPT= RPROMPT= LISTMAX=100000; stty -echo columns 200; unset zle_bracketed_paste
fpath=('${(q)1}' $fpath); autoload -Uz compinit; compinit -u -D
zstyle ":completion:*" list-prompt ""
_sample_program() { _arguments "1:word:(alpha beta)" }; compdef _sample_program sample-program
compadd() {
    local -a offered
    if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)* ]]; then
        builtin compadd -A offered "$@"
        (( $#offered )) && printf "\nOFFER:%s" "${(@)offered}"
    fi
    builtin compadd "$@"
}
press-tab() { zle complete-word; printf "\nEND\n"; zle kill-whole-line }
zle -N press-tab; bindkey "^I" press-tab; bindkey -s "^X" ""
print REA''DY'
zpty -w shell "$setup"
zpty -r -m shell output '*READY*' || exit 1
shift
for line; do
    zpty -w -n shell "$line"$'\t'
    zpty -r -m shell output $'*\nEND*' || exit 1
    print -r -- "$output" | tr -d '\r' | sed -n 's/^OFFER://p'
    print
done
zpty -d shell
