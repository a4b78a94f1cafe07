# shellcheck shell=dash
# The read-only look: which servers, which paths, which mounts, which disks, and what stands in the way of an image.

probe() {
    service_manager
    find_servers
    map_paths
    warn_of_strangers
    json_or_null "$SERVICE_MANAGER"
    report service_manager "$JSON"
    report servers "[$SERVERS]"
    report mounts "[$MOUNT_REPORTS]"
    report hold_in_progress "$(hold_in_progress)"
    if [ -n "$PROBLEMS" ]; then compose probe refused; else compose probe ready; fi
    if [ ${#ANSWER} -gt 23900 ]; then answer_shorter; fi
    printf '%s\n' "$ANSWER"
}

hold_in_progress() {
    HOLD_JSON=null
    ! locked || is_over "$LOCKED" || ! in_progress "$LOCKED" || describe_hold "$LOCKED"
    printf '%s' "$HOLD_JSON"
}

# A server with hundreds of tablespaces: SSM would cut the report in two.
answer_shorter() {
    PROBLEMS="" REPORT=""
    problem report_too_long "The server's paths and mounts make ${#ANSWER} characters; SSM carries 24,000." \
        "Use fewer tablespaces, or shorter paths."
    report service_manager null
    report servers "[]"
    report mounts "[]"
    report hold_in_progress null
    compose probe refused
}

probe
