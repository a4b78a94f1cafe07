//! The guest's shell functions one by one, against made-up /proc, /sys and /dev trees, in every shell that we promise.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use proptest::prelude::*;
use tempfile::TempDir;

const GUEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guest");
const POSTGRESQL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/engines/postgresql/guest.sh"
);
const SHELLS: [&[&str]; 3] = [&["dash"], &["bash", "--posix"], &["busybox", "sh"]];

/// Every file that only defines functions.
const FUNCTIONS: [&str; 12] = [
    "prelude",
    "processes",
    "mountinfo",
    "mounts",
    "devices",
    "state",
    "servers",
    "witness",
    "let_go",
    "engines",
    "methods",
    "sync",
];

/// A made-up root: PROC, SYS and DEV point into it.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn path(&self, path: &str) -> String {
        self.0.path().join(path).to_string_lossy().into_owned()
    }

    fn file(&self, path: &str, content: &str) -> &Self {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        fs::write(file, content).expect("written");
        self
    }

    fn link(&self, path: &str, target: &str) -> &Self {
        let link = self.0.path().join(path);
        fs::create_dir_all(link.parent().expect("a parent")).expect("made");
        symlink(target, link).expect("linked");
        self
    }

    /// A block device's node.
    fn node(&self, path: &str, major: u32, minor: u32) -> &Self {
        let node = self.0.path().join(path);
        fs::create_dir_all(node.parent().expect("a parent")).expect("made");
        let made = Command::new("mknod")
            .arg(&node)
            .args(["b", &major.to_string(), &minor.to_string()])
            .status();
        assert!(made.expect("mknod runs").success(), "mknod needs root");
        self
    }

    /// A disk or a part of one as sysfs shows it, at `place` beneath /sys/devices.
    fn block(&self, place: &str, device: &str) -> &Self {
        self.file(&format!("sys/devices/{place}/dev"), &format!("{device}\n"));
        self.link(
            &format!("sys/dev/block/{device}"),
            &format!("../../devices/{place}"),
        )
    }

    /// What `body` prints once all functions are defined; the same in every shell.
    fn run(&self, body: &str) -> String {
        let functions = FUNCTIONS
            .map(|file| format!(". {GUEST}/{file}.sh\n"))
            .concat();
        let root = self.0.path().display();
        let script = format!(
            "CDB_SESSION=0 CDB_ENGINES=postgresql CDB_POSTGRESQL_SERVICE= \n{functions}. {POSTGRESQL}\n\
             PROC={root}/proc SYS={root}/sys DEV={root}/dev STATE={root}/run\n{body}\n"
        );
        let outputs = SHELLS.map(|shell| {
            let output = Command::new(shell[0])
                .args(&shell[1..])
                .arg("-c")
                .arg(&script)
                .output();
            let output = output.unwrap_or_else(|e| panic!("{} is needed: {e}", shell[0]));
            assert!(
                output.stderr.is_empty(),
                "{shell:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8(output.stdout).expect("UTF-8")
        });
        assert!(
            outputs.iter().all(|output| *output == outputs[0]),
            "{outputs:#?}"
        );
        outputs[0].clone()
    }
}

fn quoted(text: &str) -> String {
    quiesce::shell::quote(text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_becomes_json_and_back(text in "[^\0]{0,60}") {
        let json = Tree::new().run(&format!("json {}; printf '%s' \"$JSON\"", quoted(&text)));
        prop_assert_eq!(serde_json::from_str::<String>(&json).expect("a JSON string"), text);
    }

    #[test]
    fn any_path_is_spelled_as_mountinfo_does_and_back(path in "/[^\0]{0,40}") {
        let body = format!("spell {}; unspell \"$SPELLED\"; printf '%s\\001%s' \"$SPELLED\" \"$PLAIN\"", quoted(&path));
        let output = Tree::new().run(&body);
        let (spelled, plain) = output.split_once('\u{1}').expect("both");
        prop_assume!(!path.contains('\u{1}'));
        prop_assert!(!spelled.contains([' ', '\t', '\n']));
        prop_assert_eq!(plain, path);
    }

    #[test]
    fn any_word_survives_the_guests_own_quoting(word in "[^\0]{0,40}") {
        let output = Tree::new().run(&format!("words {}; eval \"set -- $WORDS\"; printf '%s' \"$1\"", quoted(&word)));
        prop_assert_eq!(output, word);
    }
}

#[test]
fn control_characters_are_escaped_in_json() {
    let all: String = (1..32_u8).map(char::from).collect();
    let json = Tree::new().run(&format!("json {}; printf '%s' \"$JSON\"", quoted(&all)));
    assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), all);
}

#[test]
fn uptime_is_read_in_hundredths_and_never_as_octal() {
    for (uptime, ms) in [
        ("8.07 1.00", "8070"),
        ("0.99 0", "990"),
        ("123456.08 9", "123456080"),
    ] {
        let tree = Tree::new();
        tree.file("proc/uptime", &format!("{uptime}\n"));
        assert_eq!(tree.run("now; echo $NOW"), format!("{ms}\n"));
    }
}

#[test]
fn a_process_name_cannot_disguise_the_fields_behind_it() {
    let fields = "S 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
    for name in ["postgres", "a) R 1 (b", "two\nlines", ") S 1"] {
        let tree = Tree::new();
        tree.file("proc/42/stat", &format!("42 ({name}) {fields}\n"));
        assert_eq!(
            tree.run("process 42 && echo $P_STATE $P_PARENT $P_START; process 43 || echo gone"),
            "S 7 4711\ngone\n"
        );
    }
}

#[test]
fn a_zombie_and_a_reused_pid_are_not_alive() {
    let tree = Tree::new();
    let rest = "1 1 1 0 -1 0 1 0 0 0 0 0 0 0 20 0 1 0 100 0 0";
    tree.file("proc/1/stat", &format!("1 (a) S {rest}"))
        .file("proc/2/stat", &format!("2 (b) Z {rest}"));
    let body = "for p in '1 100' '1 99' '2 100' '3 100'; do alive $p && echo yes || echo no; done";
    assert_eq!(tree.run(body), "yes\nno\nno\nno\n");
}

// ---- mounts ---------------------------------------------------------------------------------------------------------------

const MOUNTINFO: &str = "\
20 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw,discard
30 20 259:2 / /data rw shared:2 master:1 - xfs /dev/nvme1n1 rw,noquota
31 20 259:3 / /database rw - ext4 /dev/nvme2n1 rw
32 30 259:4 / /data/pg/wal rw - ext4 /dev/nvme3n1 rw
33 20 259:5 / /my\\040data rw - ext4 /dev/mapper/a-b rw
34 20 0:40 / /over rw - tmpfs tmpfs rw
35 34 259:6 / /over rw - ext4 /dev/nvme4n1 rw
36 20 259:2 /sub /bind rw - xfs /dev/nvme1n1 rw
37 20 0:41 / /odd[x*] rw - btrfs /dev/nvme5n1 rw,nodatacow,space_cache
";

#[test]
fn a_path_lies_on_the_longest_matching_mount_and_the_last_of_equals() {
    let tree = Tree::new();
    tree.file("proc/self/mountinfo", MOUNTINFO);
    for (path, mount) in [
        ("/", "20 259:1 / ext4 /dev/nvme0n1p1"),
        ("/var/lib", "20 259:1 / ext4 /dev/nvme0n1p1"),
        ("/data", "30 259:2 /data xfs /dev/nvme1n1"),
        ("/data/pg/waldo", "30 259:2 /data xfs /dev/nvme1n1"),
        ("/data/pg/wal/x", "32 259:4 /data/pg/wal ext4 /dev/nvme3n1"),
        ("/database/x", "31 259:3 /database ext4 /dev/nvme2n1"),
        ("/my data/x", "33 259:5 /my\\040data ext4 /dev/mapper/a-b"),
        ("/over/x", "35 259:6 /over ext4 /dev/nvme4n1"),
        ("/bind/x", "36 259:2 /bind xfs /dev/nvme1n1"),
        ("/odd[x*]/x", "37 0:41 /odd[x*] btrfs /dev/nvme5n1"),
        ("/oddx/x", "20 259:1 / ext4 /dev/nvme0n1p1"),
    ] {
        let body = format!(
            "mount_of {}; printf '%s\\n' \"$M_ID $M_DEVICE $M_POINT $M_TYPE $M_SOURCE\"",
            quoted(path)
        );
        assert_eq!(tree.run(&body), format!("{mount}\n"), "{path}");
    }
}

#[test]
fn mounts_inside_a_directory_are_listed() {
    let tree = Tree::new();
    tree.file("proc/self/mountinfo", MOUNTINFO);
    assert_eq!(
        tree.run("nested_mounts /data; printf '%s' \"$NESTED\""),
        "/data/pg/wal\n"
    );
}

#[test]
fn a_swap_file_makes_its_file_system_needed() {
    let tree = Tree::new();
    tree.file(
        "proc/self/mountinfo",
        "20 1 259:9 / / rw - ext4 /dev/x rw\n",
    );
    fs::create_dir(tree.path("swap dir")).expect("made");
    let file = tree.path("swap dir").replace(' ', "\\040");
    tree.file(
        "proc/swaps",
        &format!("Filename Type Size Used Priority\n/dev/nvme9n1 partition 1 0 -2\n{file}/a file 1 0 -2\n"),
    );
    assert_eq!(
        tree.run("NEEDED=; needed_for_swap; printf '%s' \"$NEEDED\""),
        format!("259:9 the swap file {file}/a lies on it\n")
    );
}

// ---- devices --------------------------------------------------------------------------------------------------------------

fn leaves(tree: &Tree, device: &str) -> String {
    tree.run(&format!(
        "LEAVES=; leaves {device}; printf '%s' \"$LEAVES\""
    ))
}

#[test]
fn a_whole_disk_and_a_partition_lead_to_the_disk() {
    let tree = Tree::new();
    tree.block("pci/nvme1n1", "259:0")
        .block("pci/nvme1n1/nvme1n1p1", "259:1");
    tree.file("sys/devices/pci/nvme1n1/nvme1n1p1/partition", "1\n");
    assert_eq!(leaves(&tree, "259:0"), "259:0 nvme1n1\n");
    assert_eq!(leaves(&tree, "259:1"), "259:0 nvme1n1\n");
}

#[test]
fn lvm_over_md_over_partitions_leads_to_every_disk_once() {
    let tree = Tree::new();
    for (disk, number) in [("nvme1n1", 0), ("nvme2n1", 10), ("nvme3n1", 20)] {
        tree.block(&format!("pci/{disk}"), &format!("259:{number}"));
        tree.block(
            &format!("pci/{disk}/{disk}p1"),
            &format!("259:{}", number + 1),
        );
        tree.file(&format!("sys/devices/pci/{disk}/{disk}p1/partition"), "1\n");
    }
    tree.block("virtual/md0", "9:0");
    tree.link(
        "sys/devices/virtual/md0/slaves/nvme1n1p1",
        "../../../pci/nvme1n1/nvme1n1p1",
    );
    tree.link(
        "sys/devices/virtual/md0/slaves/nvme2n1p1",
        "../../../pci/nvme2n1/nvme2n1p1",
    );
    tree.block("virtual/dm-0", "253:0");
    tree.link("sys/devices/virtual/dm-0/slaves/md0", "../../md0");
    tree.link(
        "sys/devices/virtual/dm-0/slaves/nvme3n1",
        "../../../pci/nvme3n1",
    );
    tree.link(
        "sys/devices/virtual/dm-0/slaves/nvme1n1p1",
        "../../../pci/nvme1n1/nvme1n1p1",
    );
    assert_eq!(
        leaves(&tree, "253:0"),
        "259:0 nvme1n1\n259:10 nvme2n1\n259:20 nvme3n1\n"
    );
}

#[test]
fn volumes_are_found_by_device_number_whatever_the_nodes_are_called() {
    let tree = Tree::new();
    let by_id = "dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol";
    tree.node("dev/nvme1n1", 259, 300)
        .node("dev/nvme2n1", 7, 2)
        .node("dev/part", 259, 301);
    tree.link(&format!("{by_id}0aa11"), "../../nvme2n1");
    tree.link(&format!("{by_id}0bb22_1"), "../../nvme1n1");
    tree.link(&format!("{by_id}0bb22-part1"), "../../part");
    tree.link(&format!("{by_id}0cc33"), "../../gone");
    let body = "volumes 2>/dev/null; for d in 7:2 259:300 259:301 8:0; do volume_of $d; echo \"$d $VOLUME\"; done";
    assert_eq!(
        tree.run(body),
        "7:2 vol-0aa11\n259:300 vol-0bb22\n259:301 vol-0bb22\n8:0 \n"
    );
}

#[test]
fn the_serial_number_names_a_volume_too_and_contradiction_names_none() {
    let tree = Tree::new();
    tree.node("dev/nvme1n1", 259, 0);
    tree.link(
        "dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0aa11",
        "../../nvme1n1",
    );
    tree.block("pci/nvme1n1", "259:0")
        .block("pci/nvme2n1", "259:5")
        .block("pci/nvme3n1", "259:9");
    tree.file(
        "sys/devices/pci/nvme2n1/device/serial",
        "vol0dd44            \n",
    );
    tree.file("sys/devices/pci/nvme3n1/device/serial", "AWS1234567890\n");
    let body = "volumes; for d in 259:0 259:5 259:9; do volume_of $d; echo \"$d $VOLUME\"; done";
    assert_eq!(tree.run(body), "259:0 vol-0aa11\n259:5 vol-0dd44\n259:9 \n");
    tree.file("sys/devices/pci/nvme1n1/device/serial", "vol0ee55\n");
    assert_eq!(
        tree.run("volumes; volume_of 259:0; echo \"[$VOLUME]\""),
        "[]\n"
    );
}

#[test]
fn an_instance_store_is_recognised_by_its_model() {
    let tree = Tree::new();
    tree.block("pci/nvme1n1", "259:0")
        .block("pci/nvme2n1", "259:5");
    tree.file(
        "sys/devices/pci/nvme1n1/device/model",
        "Amazon EC2 NVMe Instance Storage        \n",
    );
    tree.file(
        "sys/devices/pci/nvme2n1/device/model",
        "Amazon Elastic Block Store              \n",
    );
    assert_eq!(
        tree.run("instance_store 259:0 && echo yes; instance_store 259:5 || echo no"),
        "yes\nno\n"
    );
}

#[test]
fn btrfs_leads_to_all_of_its_devices() {
    let tree = Tree::new();
    tree.node("dev/nvme1n1", 259, 0);
    for (pool, name, device) in [
        ("u1", "nvme1n1", "259:0"),
        ("u1", "nvme2n1", "259:5"),
        ("u2", "nvme3n1", "259:9"),
    ] {
        tree.block(&format!("pci/{name}"), device);
        tree.link(
            &format!("sys/fs/btrfs/{pool}/devices/{name}"),
            &format!("../../../../devices/pci/{name}"),
        );
    }
    let source = tree.path("dev/nvme1n1");
    assert_eq!(
        tree.run(&format!("bases 0:40 btrfs {source}; echo $BASES")),
        "259:0 259:5\n"
    );
    assert_eq!(
        tree.run("bases 259:9 xfs /dev/nvme3n1; echo $BASES"),
        "259:9\n"
    );
}

#[test]
fn zfs_leads_to_all_devices_of_its_pool() {
    let tree = Tree::new();
    tree.node("dev/nvme1n1p1", 259, 1)
        .node("dev/nvme2n1p1", 259, 6);
    let root = tree.path("dev");
    let body = format!(
        "zpool() {{ [ \"$3\" = tank ] && printf 'tank\\t9G\\n\\tmirror-0\\t9G\\n\\t{root}/nvme1n1p1\\t-\\n\\t{root}/nvme2n1p1\\t-\\n'; }}
         bases 0:50 zfs tank/pg/data; echo $BASES"
    );
    assert_eq!(tree.run(&body), "259:1 259:6\n");
}

#[test]
fn the_write_witness_counts_sectors() {
    let tree = Tree::new();
    tree.block("pci/nvme1n1", "259:0");
    tree.file(
        "sys/devices/pci/nvme1n1/stat",
        "  10 1 80 5   33 2   4096 7 0 9 12 0 0 0 0 4 1\n",
    );
    assert_eq!(
        tree.run("written 259:0; echo $WRITTEN; written 8:0 || echo unknown"),
        "259:0=4096\nunknown\n"
    );
}

// ---- services and cgroups -------------------------------------------------------------------------------------------------

#[test]
fn a_unit_is_read_from_either_kind_of_cgroup() {
    for (cgroup, unit) in [
        (
            "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n",
            "postgresql@15-main.service",
        ),
        (
            "3:cpu:/x\n1:name=systemd:/system.slice/postgresql.service\n",
            "postgresql.service",
        ),
        ("0::/user.slice/user-0.slice/session-3.scope\n", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service\n", ""),
        ("0::/\n", ""),
    ] {
        let tree = Tree::new();
        tree.file("proc/9/cgroup", cgroup);
        assert_eq!(tree.run("unit_of 9; echo \"$UNIT\""), format!("{unit}\n"));
    }
}

#[test]
fn a_cgroup_is_usable_only_if_it_is_the_servers_own() {
    let tree = Tree::new();
    let mount = tree.path("cgroup");
    tree.file(
        "proc/self/mountinfo",
        &format!("30 20 0:25 / {mount} rw - cgroup2 cgroup2 rw\n"),
    );
    tree.file("proc/5/cgroup", "0::/db.service\n")
        .file("proc/6/cgroup", "0::/\n");
    tree.file("cgroup/db.service/cgroup.procs", "5\n7\n")
        .file("cgroup/db.service/sub/cgroup.procs", "8\n");
    tree.file("cgroup/cgroup.procs", "1\n");
    let stat = |pid: u32, parent: u32| {
        let rest = "1 1 0 -1 0 1 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0";
        tree.file(
            &format!("proc/{pid}/stat"),
            &format!("{pid} (postgres) S {parent} {rest}\n"),
        );
        tree.file(&format!("proc/{pid}/task/{pid}/children"), "");
    };
    stat(5, 1);
    stat(7, 5);
    stat(8, 5);
    let body = format!(
        "cgroup 5 && echo \"${{CGROUP##*/}}\"; cgroup 6 || echo none; cgroup_is_of {mount}/db.service 5 && echo yes || echo no"
    );
    // 8 has died since its cgroup was read, 9 is a stranger, 7 lives elsewhere.
    tree.file("proc/5/task/5/children", "7 8 ");
    assert_eq!(tree.run(&body), "db.service\nnone\nyes\n");
    tree.file("proc/5/task/5/children", "7 ");
    fs::remove_dir_all(tree.path("proc/8")).expect("removed");
    assert_eq!(tree.run(&body), "db.service\nnone\nyes\n");
    stat(9, 1);
    tree.file("cgroup/db.service/cgroup.procs", "5\n7\n9\n");
    assert_eq!(tree.run(&body), "db.service\nnone\nno\n");
    tree.file("cgroup/db.service/cgroup.procs", "5\n");
    assert_eq!(tree.run(&body), "db.service\nnone\nno\n");
}

// ---- PostgreSQL -----------------------------------------------------------------------------------------------------------

#[test]
fn the_position_has_the_name_that_the_version_gives_it() {
    for (version, role, function) in [
        ("9.2.24", "primary", "pg_current_xlog_location()"),
        ("9.6.24", "primary", "pg_current_xlog_flush_location()"),
        ("9.6.24", "standby", "pg_last_xlog_replay_location()"),
        ("10.23", "primary", "pg_current_wal_flush_lsn()"),
        ("18.4", "standby", "pg_last_wal_replay_lsn()"),
    ] {
        let body = format!(
            "PG_VERSION={version} PG_MAJOR=${{PG_VERSION%%.*}} PG_ROLE={role}; PG_MAJOR={}; pg_position; echo \"$PG_POSITION\"",
            version.split('.').next().expect("major")
        );
        assert_eq!(
            Tree::new().run(&body),
            format!("{function}\n"),
            "{version} {role}"
        );
    }
}

#[test]
fn an_answer_is_read_past_whatever_the_server_warns_of() {
    let answer = "WARNING:  database \"postgres\" has a collation version mismatch\n\
        consistent fsync=on\nconsistent full_page_writes=off\nconsistent server_version=15.18 (Debian 15.18-0+deb12u1)\n\
        consistent config_file=/etc/a=b.conf\nconsistent standby=true\n\nconsistent checkpoints=true\nfsync=off\n";
    let body = format!(
        "PG_OS_USER=x PG_PORT=1; pg_read_answer {} && echo \"$PG_VERSION $PG_ROLE $PG_FSYNC $PG_FULL_PAGES $PG_FILES\"",
        quoted(answer)
    );
    assert_eq!(
        Tree::new().run(&body),
        "15.18 standby on off /etc/a=b.conf\n\n"
    );
}

#[test]
fn a_service_is_stopped_and_started_by_its_manager() {
    for (manager, stop, start) in [
        (
            "systemd",
            "'systemctl' 'stop' 'pg@15'",
            "'systemctl' 'start' 'pg@15'",
        ),
        (
            "openrc",
            "'rc-service' 'pg@15' 'stop'",
            "'rc-service' 'pg@15' 'start'",
        ),
        (
            "sysvinit",
            "'service' 'pg@15' 'stop'",
            "'service' 'pg@15' 'start'",
        ),
    ] {
        let body = format!(
            "SERVICE_MANAGER={manager}; service_commands pg@15; echo $SERVICE_STOP; echo $SERVICE_START"
        );
        assert_eq!(Tree::new().run(&body), format!("{stop}\n{start}\n"));
    }
}

#[test]
fn one_server_that_does_not_start_keeps_no_other_one_down() {
    let tree = Tree::new();
    tree.file("proc/uptime", "9.00 1\n");
    // The servers as engines record them, and one that never comes up.
    let body = "locate_state; mkdir -p \"$OWN\"; bring_up() { [ \"$1\" != broken ] && : >\"$OWN/up.$1\"; }
        starts_by broken it_is_up; starts_by sound it_is_up; H_START=$START_COMMANDS
        H_METHOD=stop; H_ENGINES=': >\"$HELD_IN/thawed\"'; let_go \"$OWN\" && echo all || echo 'not all'
        cd \"$OWN\" && echo up.* thawed*";
    assert_eq!(tree.run(body), "not all\nup.sound thawed\n");
}

// ---- what engines hold themselves ------------------------------------------------------------------------------------------

#[test]
fn what_engines_took_is_let_go_by_whoever_reads_the_record() {
    let tree = Tree::new();
    tree.file("proc/uptime", "9.00 1\n");
    tree.file("run/sessions/0/method", "freeze\n");
    let taken =
        "ENGINES_LET_GO='end_lock() { echo \"$1\" >>\"$HELD_IN/ended\"; [ \"$1\" != stuck ]; }'
        locate_state; ENGINE=one; lets_go_by end_lock \"two
lines, 'quoted'\"; ENGINE=two; lets_go_by end_lock second";
    // Another script, which has no function of that engine's.
    let let_go = "locate_state; recall \"$OWN\"; let_engines_go \"$OWN\" && echo \"free at $LET_GO_AT\" || echo held
        cat \"$OWN/ended\"; rm \"$OWN/ended\"";
    tree.run(&format!("rm -f $STATE/sessions/0/engines; {taken}"));
    assert_eq!(
        tree.run(let_go),
        "free at 9000\ntwo\nlines, 'quoted'\nsecond\n"
    );
    tree.run(&format!(
        "rm -f $STATE/sessions/0/engines; {taken}; lets_go_by end_lock stuck; lets_go_by end_lock last"
    ));
    assert!(tree.run(let_go).starts_with("held\n"));
    assert!(
        tree.run(let_go).ends_with("stuck\nlast\n"),
        "one that fails keeps no other from being let go"
    );
}

#[test]
fn engines_without_the_function_are_passed_over() {
    let body = "CDB_ENGINES='one two three'; one_hold() { echo \"$ENGINE $1\"; }; three_hold() { echo \"$ENGINE $1\"; }
        each_able_engine hold x; each_able_engine nothing && echo fine; one_hold() { return 1; }; each_able_engine hold x || echo failed";
    assert_eq!(Tree::new().run(body), "one x\nthree x\nfine\nfailed\n");
}

#[test]
fn every_script_file_is_read_by_every_shell() {
    let listed = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a directory");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    };
    let engines = Path::new(POSTGRESQL).ancestors().nth(2).expect("a folder");
    let engines = listed(engines).into_iter().filter(|path| path.is_dir());
    let mut files = listed(Path::new(GUEST));
    files.extend(engines.flat_map(|folder| listed(&folder)));
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "sh"))
    {
        for shell in SHELLS {
            let status = Command::new(shell[0])
                .args(&shell[1..])
                .arg("-n")
                .arg(file)
                .status();
            assert!(
                status.expect("runs").success(),
                "{shell:?} {}",
                file.display()
            );
        }
    }
}
