# shellcheck shell=dash
# Where a server of MySQL's family keeps what it needs to start again.

my_paths() {
    local line
    need_directory data "$MY_DATA" "#innodb_temp"
    my_need_settings wal innodb_log_group_home_dir innodb_doublewrite_dir rocksdb_wal_dir aria_log_dir_path
    my_need_settings data innodb_data_home_dir innodb_undo_directory rocksdb_datadir wsrep_data_home_dir
    my_need_settings_directory log log_bin_basename log_bin_index relay_log_basename relay_log_index
    my_need_settings_directory data keyring_file_data
    my_need_system_tablespace
    my_values tablespace
    while IFS= read -r line; do
        [ -z "$line" ] || my_need_directory tablespace "$line"
    done <<DIRECTORIES
$VALUES
DIRECTORIES
    my_need_links
    my_values config
    while IFS= read -r line; do
        [ -z "$line" ] || need_config "$line" "$MY_DATA"
    done <<FILES
$VALUES
FILES
}

# The directory $2, as a setting tells it, unless it is the data directory, in which relative ones lie.
my_need_directory() {
    local directory="$2"
    case $2 in "") return 0 ;; /*) ;; *) directory=$MY_DATA/$2 ;; esac
    [ "$VIEW$directory" -ef "$VIEW$MY_DATA" ] || need_directory "$1" "$directory" ""
}

# The directories that settings $2... name, needed as $1.
my_need_settings() {
    local purpose="$1" name
    shift
    for name in "$@"; do
        my_value "$name"
        my_need_directory "$purpose" "$VALUE"
    done
}

# The same for settings that name a file.
my_need_settings_directory() {
    local purpose="$1" name
    shift
    for name in "$@"; do
        my_value "$name"
        case $VALUE in */*) my_need_directory "$purpose" "${VALUE%/*}/" ;; esac
    done
}

# Files of the system tablespace that lie elsewhere: "ibdata1:12M;/other/ibdata2:10M:autoextend".
my_need_system_tablespace() {
    local rest entry
    my_value innodb_data_file_path
    rest=$VALUE\;
    my_value innodb_data_home_dir
    while [ -n "$rest" ]; do
        entry=${rest%%;*}
        rest=${rest#*;}
        entry=${entry%%:*}
        case $entry in
            /*/*) my_need_directory tablespace "${entry%/*}/" ;;
            */*) my_need_directory tablespace "${VALUE:-.}/${entry%/*}/" ;;
        esac
    done
}

# Databases and tables that lie elsewhere by a symbolic link (CREATE TABLE ... DATA DIRECTORY of MyISAM).
my_need_links() {
    local link
    while IFS= read -r link; do
        [ -z "$link" ] || need_link "${link#"$VIEW"}"
    done <<LINKS
$(find "$VIEW$MY_DATA" -maxdepth 2 -type l 2>/dev/null)
LINKS
}
