
# Categories, from the newest ranking of the lake; the program reads the line, nothing of it is run.
_topsell_or_category() {
    local found path
    if found=$(topsell complete-categories --line "${COMP_LINE:0:COMP_POINT}" --word="$2" 2>/dev/null); then
        COMPREPLY=()
        while IFS= read -r path; do
            [[ -n $path ]] && COMPREPLY+=("$path")
        done <<<"$found"
        # They come quoted, as the quote that was begun wants it.
        compopt -o nospace -o nosort 2>/dev/null
    else
        _topsell "$@"
    fi
}
complete -F _topsell_or_category -o bashdefault -o default topsell
