# Categories, from the newest ranking of the lake; nothing of the line is run.
_topsell_categories() {
    local -a typed lake paths
    local -i at
    typed=("${(@Q)${(z)LBUFFER}}")
    for (( at = 1; at < $#typed; at++ )); do
        case $typed[at] in
            --lake) lake=(--lake "${typed[at+1]/#\~\//$HOME/}") ;;
            --lake=*) lake=("$typed[at]") ;;
        esac
    done
    paths=("${(@f)$(topsell $lake complete-categories -- "${(Q)PREFIX}" 2>/dev/null)}")
    paths=(${paths:#})
    compadd -S '' -a paths
}

