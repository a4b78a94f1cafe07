# shellcheck shell=dash
# Whatever the user knows how to hold: its paths are held like any server's, and around that its own commands run.

custom_find() {
    app_find -
}

custom_flush() {
    return 0
}

custom_tell_position() {
    recovery_point -
}

# The user's own freeze, before anything else is held; what its thaw undoes is recorded before.
custom_hold() {
    app_limit
    [ -z "$CDB_CUSTOM_THAW" ] || lets_go_by thaw_by_command custom "$CDB_CUSTOM_THAW" "$APP_LIMIT" "thaw command" || return 1
    [ -z "$CDB_CUSTOM_FREEZE" ] || take_first
    custom_command freeze "$CDB_CUSTOM_FREEZE" && custom_command check "$CDB_CUSTOM_CHECK"
}

# Runs command $1, whose text is $2.
custom_command() {
    [ -n "$2" ] || return 0
    app_left
    timed "custom_$1" run_command "$OWN" "custom.$1" "$2" "$APP_LEFT" && return 0
    problem "$1_command_failed" "The $1 command of custom $FAILURE." "Try it on the server, as root with /bin/sh; a longer command_timeout or max_hold_seconds may be needed."
    return 1
}
