# shellcheck shell=dash
# What the paths that the user names lead to: a journal on another volume belongs to the cut as much as the directory that has a symbolic link to it.

# How many symbolic links are followed, and how long they are looked for, in ms: a path with more is half a server, and no application's directory.
APP_LINK_LIMIT=1000
APP_LOOK_LIMIT=5000

app_look_begins() {
    # Directories that are needed with all inside them, spelled, one a line.
    APP_KNOWN=""
    APP_LINKS=0 APP_UNCLEAR="" APP_IN_MEMORY=0
    now
    APP_LOOK_UNTIL=$((NOW + APP_LOOK_LIMIT))
}

app_path() {
    if [ -d "$1" ]; then
        if [ -L "$1" ]; then app_directory link "$1"; else app_directory data "$1"; fi
    elif [ -L "$1" ] && [ -e "$1" ]; then
        need_link "$1"
    elif [ -e "$1" ] && real_directory "${1%/*}/"; then
        need data "${REAL%/}/${1##*/}"
    else
        problem path_unreadable "$1, a path of $ENGINE, does not exist." "Correct $ENGINE.paths."
    fi
}

# Directory $2, needed as $1, with all that symbolic links inside it lead to, and those inside that again.
app_directory() {
    local link
    need_directory "$1" "$2" ""
    real_directory "$2" && ! app_knows && [ -z "$APP_UNCLEAR" ] || return 0
    APP_KNOWN="$APP_KNOWN$SPELLED$NEWLINE"
    app_find_links || { app_links_unclear "$2"; return; }
    while IFS= read -r link; do
        case $link in /*) app_link "$link" ;; esac
    done <<LINKS
$LINKS
LINKS
}

# Does directory REAL lie in one that is known? Its spelling -> SPELLED.
app_knows() {
    local known
    spell "${REAL%/}"
    while read -r known; do
        [ -n "$known" ] || continue
        case $SPELLED/ in "$known"/*) return 0 ;; esac
    done <<KNOWN
$APP_KNOWN
KNOWN
    return 1
}

# The symbolic links in directory REAL and in what is mounted inside it, one a line -> LINKS; fails where they are too many, are not found in time, or
# cannot be told apart because their names have newlines. What comes and goes meanwhile is no failure.
app_find_links() {
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
    [ "$NOW" -lt "$APP_LOOK_UNTIL" ] || return 1
    limit $(((APP_LOOK_UNTIL - NOW + 999) / 1000))
    # shellcheck disable=SC2086 # words
    LINKS=$({ $LIMIT find "$@" -xdev -type l \( -path "*$NEWLINE*" -exec echo newline \; -o -print \); echo "end $?"; } 2>/dev/null |
        head -n $((APP_LINK_LIMIT - APP_LINKS + 1)))
    case $NEWLINE$LINKS in
        *"${NEWLINE}newline$NEWLINE"* | *"${NEWLINE}end 137") return 1 ;;
        *"${NEWLINE}end "*) ;;
        *) return 1 ;;
    esac
}

app_links_unclear() {
    APP_UNCLEAR=1
    problem links_unclear "Where the symbolic links inside $1 lead cannot be told: they are more than $APP_LINK_LIMIT, were not all found within $((APP_LOOK_LIMIT / 1000)) s, or have names with newlines." \
        "Name the paths that matter in $ENGINE.paths, instead of a directory around them."
}

# What symbolic link $1 leads to: data, unless it leads nowhere, to what is known, to what no crash leaves anything of, or to what comes with the system.
app_link() {
    local directory="$1"
    APP_LINKS=$((APP_LINKS + 1))
    [ -e "$1" ] || return 0
    if [ ! -d "$1" ]; then
        directory=$(readlink -f "$1")
        directory=${directory%/*}/
    fi
    real_directory "$directory" && ! app_knows && mount_of "$REAL" || return 0
    case $M_TYPE in
        proc | sysfs | devtmpfs | devpts | tmpfs | ramfs | mqueue | cgroup | cgroup2)
            # A device is a way to data that lies elsewhere.
            [ -b "$1" ] || { app_leads_to_memory "$1"; return; }
            ;;
    esac
    case $REAL/ in
        /etc/* | /usr/* | /bin/* | /sbin/* | /lib/* | /lib64/*) need config "$REAL" ;;
        *) if [ -d "$1" ]; then app_directory link "$1"; else need link "$REAL"; fi ;;
    esac
}

app_leads_to_memory() {
    [ "$APP_IN_MEMORY" != 0 ] || APP_FIRST_IN_MEMORY="$1 to $(readlink -f "$1")"
    APP_IN_MEMORY=$((APP_IN_MEMORY + 1))
}

app_warn_of_memory() {
    [ "$APP_IN_MEMORY" = 0 ] || warn "Of the symbolic links inside the paths of $ENGINE, $APP_IN_MEMORY lead to memory, of which no image holds anything: $APP_FIRST_IN_MEMORY."
}
