# shellcheck shell=dash
# Asking the user's own check whether the application was still frozen.

# Once file systems and processes are let go, and before the thaw command runs: does the check command say that its own hold is still there?
custom_verify() {
    [ -n "$CDB_CUSTOM_CHECK" ] || return 0
    run_command "$OWN" custom.check "$CDB_CUSTOM_CHECK" "$((${CDB_CUSTOM_COMMAND_TIMEOUT:-10} * 1000))" || broken check "The check command $FAILURE."
}
