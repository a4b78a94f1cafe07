# shellcheck shell=dash
# What the probe's report says of servers and mounts. Arm and hold find them too, and say nothing of it.

# Adds the server that was found to the report. $1: version, $2: role, $3: process, $4: user, $5: port, $6: socket or its directory, $7: data
# directory, $8: service. What does not apply is empty.
describe_server() {
    local entry purpose spelled paths=""
    json "$1"
    entry="{\"engine\":\"$ENGINE\",\"version\":$JSON,\"role\":\"$2\",\"pid\":${3:-null}"
    json_or_null "$4"
    entry="$entry,\"os_user\":$JSON,\"port\":${5:-null}"
    json_or_null "$6"
    entry="$entry,\"socket_directory\":$JSON"
    json "$7"
    entry="$entry,\"data_directory\":$JSON"
    json_or_null "$8"
    entry="$entry,\"service\":$JSON"
    while read -r purpose spelled; do
        [ -n "$purpose" ] || continue
        unspell "$spelled"
        json "$PLAIN"
        paths="$paths${paths:+,}{\"path\":$JSON,\"purpose\":\"$purpose\"}"
    done <<PATHS
$SERVER_PATHS
PATHS
    SERVERS="$SERVERS${SERVERS:+,}$entry,\"paths\":[$paths]}"
}

# The mount that `mount_of` found, as the report describes it; $1: is it a data mount? $2: its paths in JSON.
mount_json() {
    local entry device name disks="" can=false
    json "$M_POINT"
    entry="{\"mount_point\":$JSON"
    unspell "$M_SOURCE"
    json "$PLAIN"
    entry="$entry,\"source\":$JSON"
    json "$M_TYPE"
    entry="$entry,\"fstype\":$JSON,\"device\":\"$M_DEVICE\",\"data\":$1,\"paths\":[$2]"
    why_needed "$M_DEVICE"
    json_or_null "$WHY"
    freezable "$M_TYPE" && can=true
    entry="$entry,\"needed_by_guest\":$JSON,\"freezable\":$can"
    while read -r device name; do
        [ -n "$device" ] || continue
        volume_of "$device"
        json_or_null "$VOLUME"
        disks="$disks${disks:+,}{\"device\":\"$device\",\"name\":\"$name\",\"volume_id\":$JSON}"
    done <<LEAVES
$LEAVES
LEAVES
    MOUNT_REPORTS="$MOUNT_REPORTS${MOUNT_REPORTS:+,}$entry,\"leaves\":[$disks]}"
}
