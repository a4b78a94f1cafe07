# shellcheck shell=dash
# Letting go what the document's pre-script took: by its post-script, and by hand where that leaves a file system frozen.

# Runs the post-script, command line $1, for $2 ms at most each time.
document_lets_go() {
    thaw_by_command ssm_document "$1" "$2" post-script || return 1
    document_left_frozen
}

# A post-script that says that its own hold was over before: there is nothing left to thaw, and no image.
ssm_document_is_thawed() {
    case $CODE in
        203) LINE="the document's own timer had thawed the application before" ;;
        205) LINE="the application was not frozen any more" ;;
        *) return 1 ;;
    esac
    write_whole "$HELD_IN/lapsed" "document The post-script ended with code $CODE. It says by that: $LINE."
}

# Thaws what the document froze and its post-script left so. A pre-script that failed half way, and a post-script that failed or ended early, may have left any
# file system of a disk frozen, those that nobody asked us to hold too.
document_left_frozen() {
    local frozen
    for frozen in "$HELD_IN"/theirs.*; do
        ! first_line "$frozen" || document_thaws "$LINE"
    done
    if [ -e "$HELD_IN/lapsed" ] || [ -e "$HELD_IN/left" ] || document_failed_half_way "$HELD_IN/command.ssm_document.freeze"; then
        ssm_document_thaw_by_hand
    fi
}

# Thaws every file system of a disk.
ssm_document_thaw_by_hand() {
    local _id _parent device _root point _rest
    while read -r _id _parent device _root point _rest; do
        case $device in 0:*) ;; *) document_thaws "$point" ;; esac
    done <"$PROC/self/mountinfo"
}

# Did the command of files $1, the pre-script, begin and not end well?
document_failed_half_way() {
    [ -e "$1.pid" ] && ! { first_line "$1.code" && [ "$LINE" = 0 ]; }
}

# Thaws the mount at $1, as mountinfo spells it, where it is frozen.
document_thaws() {
    unspell "$1"
    fsfreeze --unfreeze "$PLAIN" </dev/null >/dev/null 2>&1 || return 0
    [ -e "$HELD_IN/lapsed" ] || [ -e "$HELD_IN/left" ] || write_whole "$HELD_IN/lapsed" "document The post-script left the file system at $1 frozen; it has been thawed."
}
