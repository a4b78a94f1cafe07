# shellcheck shell=dash
# An application that a document of Systems Manager freezes: its paths are held like any server's, and around that the document runs.

ssm_document_find() {
    app_find "${CDB_SSM_DOCUMENT_VERSION:--}"
    ! have ssm_document_check || ssm_document_check
}

ssm_document_tell_position() {
    recovery_point -
}

# The command line that runs script $1 of the document -> DOCUMENT_LINE.
document_line() {
    quote "$OWN/document/$1"
    DOCUMENT_LINE="$CDB_SSM_DOCUMENT_RUN $QUOTED"
}

# Runs script $1 of the document as command $2, for at most $3 ms.
document_run() {
    document_line "$1"
    timed "ssm_document_$2" run_command "$OWN" "ssm_document.$2" "$DOCUMENT_LINE" "$3" && return 0
    document_meaning
    problem "$2_document_failed" "The $1 of document $CDB_SSM_DOCUMENT_NAME (version $CDB_SSM_DOCUMENT_VERSION) $FAILURE.$MEANING" "$ADVICE"
    return 1
}

# What the document said by CODE, in the contract of Data Lifecycle Manager -> MEANING; what to do -> ADVICE.
document_meaning() {
    ADVICE="Run the document by hand, with Systems Manager's Run Command, to see more of what it says."
    case $CODE in
        201) MEANING="its pre-script failed: the application was not frozen as it should be" ;;
        202) MEANING="its post-script failed" ;;
        203) MEANING="its own timer had thawed the application" ;;
        204)
            MEANING="something is frozen already, by another run of it or one that died; its post-script was run"
            ADVICE="See that no policy of Data Lifecycle Manager runs the document at the same time, then apply again."
            ;;
        205) MEANING="nothing was frozen" ;;
        206)
            MEANING="the application is not ready"
            ADVICE="Start the application, or wait until it is ready, then apply again."
            ;;
        *)
            MEANING=""
            [ -n "$CODE" ] || ADVICE="A longer ssm_document.command_timeout or quiesce.max_hold_seconds may be needed."
            return
            ;;
    esac
    MEANING=" It says by that: $MEANING."
}
