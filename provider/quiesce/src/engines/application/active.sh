# shellcheck shell=dash
# Whether a service that the user names is up or down: whoever starts it again asks by these functions too.

# Does service $1 run, and is it done with starting?
app_is_active() {
    if have systemctl && [ -d /run/systemd/system ]; then
        systemctl is-active --quiet "$1"
    elif have rc-service; then
        rc-service "$1" status
    else
        service "$1" status
    fi
} >/dev/null 2>&1

# Is service $1 down? One that is starting is neither down nor active.
app_is_inactive() {
    if have systemctl && [ -d /run/systemd/system ]; then
        unit_is_down "$1"
    else
        ! app_is_active "$1"
    fi
} >/dev/null 2>&1

# Has systemd's unit $1 ended, with all of its processes? Whoever knows nothing of it does not say so.
unit_is_down() {
    local key value state="" main="" group="" root
    while IFS='=' read -r key value; do
        case $key in ActiveState) state=$value ;; MainPID) main=$value ;; ControlGroup) group=$value ;; esac
    done <<UNIT
$(systemctl show -p ActiveState -p MainPID -p ControlGroup "$1")
UNIT
    case $state,${main:-0} in inactive,0 | failed,0) ;; *) return 1 ;; esac
    [ -n "$group" ] || return 0
    # cgroup v2, alone or beside v1, and systemd's own hierarchy of v1.
    for root in "$SYS/fs/cgroup" "$SYS/fs/cgroup/unified" "$SYS/fs/cgroup/systemd"; do
        [ ! -e "$root$group/cgroup.procs" ] || cgroup_is_empty "$root$group" || return 1
    done
}

# Is no process left in the cgroup of directory $1 that can still do anything?
cgroup_is_empty() {
    local pid
    MEMBERS=""
    members "$1"
    for pid in $MEMBERS; do
        ! alive_now "$pid" || return 1
    done
}
