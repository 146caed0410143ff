
# Categories, from the newest ranking of the lake; nothing of the line is run.
function __topsell_categories
    set -l lake
    set -l typed (commandline -opc)
    for at in (seq (count $typed))
        switch $typed[$at]
            case --lake
                set lake --lake (string replace -r -- '^~/' "$HOME/" $typed[(math $at + 1)])
            case '--lake=*'
                set lake $typed[$at]
        end
    end
    topsell $lake complete-categories --all 2>/dev/null
end
