# shellcheck shell=dash
# Before anything is held: the document's scripts are brought to the guest, and asked by a dry run whether they would work.

# Is there all that it takes to run the document?
ssm_document_check() {
    local tool
    for tool in base64 gzip sed ${CDB_SSM_DOCUMENT_INTERPRETER+"$CDB_SSM_DOCUMENT_INTERPRETER"}; do
        have "$tool" || problem no_interpreter "The server has no $tool, which running document $CDB_SSM_DOCUMENT_NAME takes." "Install it."
    done
}

ssm_document_flush() {
    # A flush that took long is repeated.
    [ ! -e "$OWN/document/dry-run" ] || return 0
    document_bring || {
        problem document_not_brought "The scripts of document $CDB_SSM_DOCUMENT_NAME cannot be written to $OWN." "Look for a /run that is full."
        return 1
    }
    app_limit
    document_run dry-run dry_run "$APP_LIMIT"
}

# One file for each script: they differ in the value of `command` only.
document_bring() {
    local script files="$OWN/document"
    mkdir -p "$files" && printf '%s' "$CDB_SSM_DOCUMENT_TEXT" | base64 -d | gzip -dc >"$files/text" && [ -s "$files/text" ] || return 1
    for script in pre-script post-script dry-run; do
        sed "s/@consistent-$CDB_SESSION@/$script/g" "$files/text" >"$files/$script" || return 1
    done
    rm "$files/text"
}
