# shellcheck shell=dash
# What the paths of custom lead to: a journal on another volume belongs to the cut as much as the directory that has a symbolic link to it.

# How many symbolic links are followed, and how long they are looked for, in ms: a path with more is half a server, and no application's directory.
CUSTOM_LINK_LIMIT=1000
CUSTOM_LOOK_LIMIT=5000

custom_look_begins() {
    # Directories that are needed with all inside them, spelled, one a line.
    CUSTOM_KNOWN=""
    CUSTOM_LINKS=0 CUSTOM_UNCLEAR="" CUSTOM_IN_MEMORY=0
    now
    CUSTOM_LOOK_UNTIL=$((NOW + CUSTOM_LOOK_LIMIT))
}

custom_path() {
    if [ -d "$1" ]; then
        if [ -L "$1" ]; then custom_directory link "$1"; else custom_directory data "$1"; fi
    elif [ -L "$1" ] && [ -e "$1" ]; then
        need_link "$1"
    elif [ -e "$1" ] && real_directory "${1%/*}/"; then
        need data "${REAL%/}/${1##*/}"
    else
        problem path_unreadable "$1, a path of custom, does not exist." "Correct custom.paths."
    fi
}

# Directory $2, needed as $1, with all that symbolic links inside it lead to, and those inside that again.
custom_directory() {
    local link
    need_directory "$1" "$2" ""
    real_directory "$2" && ! custom_knows && [ -z "$CUSTOM_UNCLEAR" ] || return 0
    CUSTOM_KNOWN="$CUSTOM_KNOWN$SPELLED$NEWLINE"
    custom_find_links || { custom_links_unclear "$2"; return; }
    while IFS= read -r link; do
        case $link in /*) custom_link "$link" ;; esac
    done <<LINKS
$LINKS
LINKS
}

# Does directory REAL lie in one that is known? Its spelling -> SPELLED.
custom_knows() {
    local known
    spell "${REAL%/}"
    while read -r known; do
        [ -n "$known" ] || continue
        case $SPELLED/ in "$known"/*) return 0 ;; esac
    done <<KNOWN
$CUSTOM_KNOWN
KNOWN
    return 1
}

# The symbolic links in directory REAL and in what is mounted inside it, one a line -> LINKS; fails where they are too many, are not found in time, or
# cannot be told apart because their names have newlines. What comes and goes meanwhile is no failure.
custom_find_links() {
    local point
    nested_mounts "$REAL"
    set -- "$REAL"
    while read -r point; do
        [ -n "$point" ] || continue
        unspell "$point"
        set -- "$@" "$PLAIN"
    done <<NESTED
$NESTED
NESTED
    now
    [ "$NOW" -lt "$CUSTOM_LOOK_UNTIL" ] || return 1
    limit $(((CUSTOM_LOOK_UNTIL - NOW + 999) / 1000))
    # shellcheck disable=SC2086 # words
    LINKS=$({ $LIMIT find "$@" -xdev -type l \( -path "*$NEWLINE*" -exec echo newline \; -o -print \); echo "end $?"; } 2>/dev/null |
        head -n $((CUSTOM_LINK_LIMIT - CUSTOM_LINKS + 1)))
    case $NEWLINE$LINKS in
        *"${NEWLINE}newline$NEWLINE"* | *"${NEWLINE}end 137") return 1 ;;
        *"${NEWLINE}end "*) ;;
        *) return 1 ;;
    esac
}

custom_links_unclear() {
    CUSTOM_UNCLEAR=1
    problem links_unclear "Where the symbolic links inside $1 lead cannot be told: they are more than $CUSTOM_LINK_LIMIT, were not all found within $((CUSTOM_LOOK_LIMIT / 1000)) s, or have names with newlines." \
        "Name the paths that matter in custom.paths, instead of a directory around them."
}

# What symbolic link $1 leads to: data, unless it leads nowhere, to what is known, to what no crash leaves anything of, or to what comes with the system.
custom_link() {
    local directory="$1"
    CUSTOM_LINKS=$((CUSTOM_LINKS + 1))
    [ -e "$1" ] || return 0
    if [ ! -d "$1" ]; then
        directory=$(readlink -f "$1")
        directory=${directory%/*}/
    fi
    real_directory "$directory" && ! custom_knows && mount_of "$REAL" || return 0
    case $M_TYPE in
        proc | sysfs | devtmpfs | devpts | tmpfs | ramfs | mqueue | cgroup | cgroup2)
            # A device is a way to data that lies elsewhere.
            [ -b "$1" ] || { custom_leads_to_memory "$1"; return; }
            ;;
    esac
    case $REAL/ in
        /etc/* | /usr/* | /bin/* | /sbin/* | /lib/* | /lib64/*) need config "$REAL" ;;
        *) if [ -d "$1" ]; then custom_directory link "$1"; else need link "$REAL"; fi ;;
    esac
}

custom_leads_to_memory() {
    [ "$CUSTOM_IN_MEMORY" != 0 ] || CUSTOM_FIRST_IN_MEMORY="$1 to $(readlink -f "$1")"
    CUSTOM_IN_MEMORY=$((CUSTOM_IN_MEMORY + 1))
}

custom_warn_of_memory() {
    [ "$CUSTOM_IN_MEMORY" = 0 ] || warn "Of the symbolic links inside the paths of custom, $CUSTOM_IN_MEMORY lead to memory, of which no image holds anything: $CUSTOM_FIRST_IN_MEMORY."
}
