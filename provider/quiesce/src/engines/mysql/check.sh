# shellcheck shell=dash
# Settings of MySQL that void its crash recovery.

# Is there no way that innodb_flush_method $1 survives a crash? Before 8.0.14 O_DIRECT_NO_FSYNC left the growth of files to chance ("not suitable for
# file systems such as XFS and EXT4", MySQL 8.0 Reference Manual, innodb_flush_method); nosync and littlesync are for tests.
mysql_never_syncs() {
    case $1,$MY_VERSION in
        nosync,* | littlesync,* | O_DIRECT_NO_FSYNC,8.0.[0-9] | O_DIRECT_NO_FSYNC,8.0.1[0-3]) return 0 ;;
        *) return 1 ;;
    esac
}
