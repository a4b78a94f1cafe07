# shellcheck shell=dash
# The document's own freeze, before anything else is held; what undoes it is recorded before.

ssm_document_hold() {
    app_limit
    document_line post-script
    lets_go_by document_lets_go "$DOCUMENT_LINE" "$APP_LIMIT" || return 1
    # What it freezes itself is its own to thaw.
    ENGINE_FREEZES=1
    take_first
    app_left
    document_run pre-script freeze "$APP_LEFT"
}
