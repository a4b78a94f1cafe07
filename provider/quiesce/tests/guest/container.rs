//! A container as engines of containers make them, without such an engine: namespaces of its own, a root directory of its own that it has
//! pivoted into, a cgroup where it is asked for, and a server as its first process.

use std::fmt::Write as _;

use crate::{
    cluster::{Cluster, Layout, programs},
    machine::Guest,
};

/// What a container is made of.
pub(crate) struct Shape<'a> {
    /// Directories of the guest, and where they are mounted inside.
    pub(crate) binds: &'a [(&'a str, &'a str)],
    /// Shell commands that mount further things below `$ROOT`, from inside of its namespaces.
    pub(crate) mounts: &'a str,
    /// A directory for the writable layer of an overlay, over a layer that holds directories only. Else the root is a plain directory.
    pub(crate) layers: Option<&'a str>,
    /// Has it users of its own, from [`USERS`] on as the guest counts?
    pub(crate) users: bool,
    /// Are the guest's own programs there, clients included?
    pub(crate) programs: bool,
    /// The directory of a cgroup to live in.
    pub(crate) cgroup: Option<&'a str>,
    /// The first process.
    pub(crate) command: &'a str,
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self {
            binds: &[],
            mounts: "",
            layers: None,
            users: false,
            programs: true,
            cgroup: None,
            command: POSTGRES,
        }
    }
}

/// The guest's number of the container's user 0, where it has users of its own.
pub(crate) const USERS: u32 = 100_000;

/// Where the cluster of a container lies, inside.
pub(crate) const DATA: &str = "/var/lib/postgresql/data";
const POSTGRES: &str = "/usr/sbin/chroot --userspec=postgres:postgres / \
    /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/data";

/// A running container.
pub(crate) struct Container<'a> {
    guest: &'a Guest,
    /// Of its first process, as the guest counts.
    pub(crate) pid: u32,
    /// Its directory on the guest.
    pub(crate) directory: String,
    users: bool,
}

impl<'a> Container<'a> {
    /// Starts a container of this name.
    pub(crate) fn start(guest: &'a Guest, name: &str, shape: &Shape<'_>) -> Self {
        let directory = format!("{}/{name}", guest.dir.path().display());
        guest.sh(&format!(
            "mkdir -p {directory}/lower/{{usr,proc,dev,run,tmp,etc,old,wal,srv,var/lib/postgresql/data}} {directory}/root
             cd {directory}/lower; rm -f ../pid; chmod 1777 tmp
             for name in bin sbin lib lib64; do ln -sfn usr/$name $name; done; cp /etc/passwd /etc/group etc/"
        ));
        let script = guest.script_file(&init(&directory, shape));
        let users = if shape.users {
            guest.sh(&own_users(&directory, &script))
        } else {
            String::new()
        };
        guest.sh(&format!(
            "setsid {} unshare --mount --pid --ipc --uts --net --fork bash {script} </dev/null >{directory}/log 2>&1 &
             for _ in {{1..250}}; do [ ! -s {directory}/pid ] || exit 0; sleep 0.02; done; tail -n 5 {directory}/log; exit 1",
            users.trim()
        ));
        let pid = guest.sh(&format!("cat {directory}/pid"));
        Self {
            guest,
            pid: pid.trim().parse().expect("a pid"),
            directory,
            users: shape.users,
        }
    }

    /// Starts one whose first process is PostgreSQL.
    pub(crate) fn of_cluster(guest: &'a Guest, name: &str, shape: &Shape<'_>) -> Self {
        let container = Self::start(guest, name, shape);
        guest.sh(&format!(
            "for _ in {{1..250}}; do {} >/dev/null 2>&1 && exit 0; sleep 0.02; done; tail -n 5 {}/log; exit 1",
            container.psql("SELECT 1"),
            container.directory
        ));
        container
    }

    /// Where the guest sees the container's root directory.
    fn root(&self) -> String {
        format!("/proc/{}/root", self.pid)
    }

    /// The shell command that asks the cluster: by the guest's client, whatever the container has, unless the guest has no such user.
    pub(crate) fn psql(&self, query: &str) -> String {
        let psql = format!(
            "{}/psql -XAtq -v ON_ERROR_STOP=1 -d postgres",
            programs(15).display()
        );
        if self.users {
            return format!(
                "/usr/bin/env PGUSER=postgres nsenter -t {} -m -n -S $((100000 + $(id -u postgres))) {psql} -h /run/postgresql -c \"{query}\"",
                self.pid
            );
        }
        let root = self.root();
        format!(
            "/usr/sbin/chroot --userspec=postgres:postgres / {psql} -h {root}/run/postgresql -c \"{query}\""
        )
    }

    pub(crate) fn sql(&self, query: &str) -> String {
        self.guest.sh(&self.psql(query)).trim().to_owned()
    }

    /// Kills the first process, and with it all others.
    pub(crate) fn kill(&self) {
        self.guest.sh(&format!("kill -KILL {}", self.pid));
    }
}

/// Makes users for a container whose files lie in `directory`, and prints the words that run a command among them.
fn own_users(directory: &str, script: &str) -> String {
    format!(
        "chmod 755 {script}; chown -R {USERS}:{USERS} {directory}
         unshare --user sleep 60 </dev/null >/dev/null 2>&1 & pid=$!
         while [ /proc/$pid/ns/user -ef /proc/self/ns/user ]; do sleep 0.01; done
         for kind in uid gid; do echo 0 {USERS} 65536 >/proc/$pid/${{kind}}_map; done
         echo nsenter -t $pid -U -S 0 -G 0"
    )
}

/// Makes the mounts and becomes the first process.
fn init(directory: &str, shape: &Shape<'_>) -> String {
    let mut text = format!("set -e\nROOT={directory}/root\ncd /\n");
    if let Some(cgroup) = shape.cgroup {
        let _ = writeln!(text, "echo 0 >{cgroup}/cgroup.procs");
    }
    match shape.layers {
        Some(layers) => {
            let _ = writeln!(
                text,
                "mkdir -p {layers}/upper {layers}/work; cp -a {directory}/lower {layers}/
                 mount -t overlay -o lowerdir={layers}/lower,upperdir={layers}/upper,workdir={layers}/work overlay $ROOT"
            );
        }
        None => {
            let _ = writeln!(text, "mount --bind {directory}/lower $ROOT");
        }
    }
    if shape.programs {
        text.push_str("mount --bind -o ro /usr $ROOT/usr\n");
    }
    text.push_str(
        "mount -t proc proc $ROOT/proc
         mount -t tmpfs dev $ROOT/dev; mkdir $ROOT/dev/shm; chmod 1777 $ROOT/dev/shm
         for name in null zero random urandom; do touch $ROOT/dev/$name; mount --bind /dev/$name $ROOT/dev/$name; done
         mount -t tmpfs run $ROOT/run; mkdir $ROOT/run/postgresql; chmod 1777 $ROOT/run/postgresql\n",
    );
    for (outside, inside) in shape.binds {
        let _ = writeln!(
            text,
            "mkdir -p $ROOT{inside}; mount --bind {outside} $ROOT{inside}"
        );
    }
    let _ = writeln!(text, "{}\n", shape.mounts);
    let _ = writeln!(
        text,
        "ip link set lo up
         read -r pid _ </proc/self/stat
         echo $pid >{directory}/pid.new; mv {directory}/pid.new {directory}/pid
         cd $ROOT; pivot_root . old
         exec /old/usr/sbin/chroot . /old/usr/bin/bash -c 'exec 3</old/usr/bin; umount -l /old; exec {}'",
        shape.command
    );
    text
}

/// A cluster for a container: its data directory and its log, each on a volume of the guest's; links in it lead to places inside.
pub(crate) fn cluster_files(guest: &Guest, data: &str, wal: Option<&str>) -> String {
    let cluster = Cluster::create(
        guest,
        &Layout {
            wal,
            settings: "port = 5432",
            ..Layout::on(data)
        },
    );
    if wal.is_some() {
        guest.sh(&format!("ln -sfn /wal/wal6001 {}/pg_wal", cluster.data));
    }
    cluster.data
}
