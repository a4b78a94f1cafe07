//! A guest in namespaces of its own: mounts, processes, /run, /dev and the shell under test, all gone with it.

use std::{
    cell::RefCell,
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::session::checked_report;

/// Whose shell and tools the guest has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Debian's: dash, coreutils, util-linux.
    Debian,
    /// The same scripts under bash as /bin/sh, as on Amazon Linux.
    Bash,
    /// busybox for the shell and for every tool that it has.
    Busybox,
}

impl Flavour {
    /// Read once per test binary, so that a whole suite can be run on another flavour of guest.
    pub(crate) fn from_environment() -> Self {
        match std::env::var("GUEST_FLAVOUR").as_deref() {
            Ok("busybox") => Self::Busybox,
            Ok("bash") => Self::Bash,
            _ => Self::Debian,
        }
    }

    /// Commands that turn the namespace into this flavour.
    fn setup(self) -> &'static str {
        match self {
            Self::Debian => "",
            Self::Bash => "mount --bind /usr/bin/bash /usr/bin/dash\n",
            Self::Busybox => {
                "for tool in cat cut date env find fsfreeze grep id ln mkdir mv nsenter od readlink rm setpriv setsid sleep \
                 stat sync tail timeout tr; do
                     for place in /usr/sbin /usr/bin; do
                         [ ! -e $place/$tool ] || mount --bind /usr/bin/busybox $(readlink -f $place/$tool)
                     done
                 done
                 mount --bind /dev/null /usr/sbin/runuser
                 mount --bind /usr/bin/busybox /usr/bin/dash\n"
            }
        }
    }
}

/// How long the guard waits before it thaws everything, in s: longer than any test. A little later the guest ends by itself.
const GUARD_SECONDS: u32 = 150;

/// A running guest. Dropping it thaws, kills and unmounts all of it.
pub(crate) struct Guest {
    pub(crate) dir: TempDir,
    init: Child,
    guard: Child,
    mounts: RefCell<Vec<Mount>>,
}

struct Mount {
    point: PathBuf,
    device: String,
}

impl Guest {
    /// A Debian-like guest, or the one that `GUEST_FLAVOUR` names.
    pub(crate) fn new() -> Self {
        Self::of(Flavour::from_environment())
    }

    pub(crate) fn of(flavour: Flavour) -> Self {
        require_root();
        // In memory: real disks would make the tests slow, and their timing somebody else's.
        let dir = tempfile::Builder::new()
            .prefix("guest-")
            .tempdir_in("/dev/shm")
            .expect("a directory");
        run("chmod", &["755", &text(&dir)]);
        let mut init = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--net",
                "--fork",
                "--mount-proc",
                "--kill-child",
            ])
            .args([
                "sh",
                "-c",
                &format!("echo ready; exec sleep {}", GUARD_SECONDS + 20),
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        wait_for_line(&mut init);
        let guard = guard(&init);
        let guest = Self {
            dir,
            init,
            guard,
            mounts: RefCell::default(),
        };
        guest.sh("ip link set lo up; mount -t tmpfs run /run && mkdir /run/postgresql && chmod 777 /run/postgresql");
        guest.sh(&format!("DIRECTORY={}{PRIVATE_DEV}", text(&guest.dir)));
        guest.sh(flavour.setup());
        guest
    }

    /// The process id, outside, of the guest's first process.
    fn init_pid(&self) -> String {
        init_pid(&self.init)
    }

    /// A command inside the guest.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("/usr/bin/nsenter");
        command.args([
            "--target",
            &self.init_pid(),
            "--mount",
            "--pid",
            "--net",
            "--",
            program,
        ]);
        command.stdin(Stdio::null());
        command
    }

    /// Runs shell text inside the guest and returns what it printed; it must succeed.
    pub(crate) fn sh(&self, script: &str) -> String {
        let output = self.try_sh(script);
        assert!(output.status.success(), "{script}\n{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn try_sh(&self, script: &str) -> Output {
        self.command("bash")
            .args(["-c", script])
            .output()
            .expect("nsenter runs")
    }

    /// Runs a rendered script as the SSM agent does, from a file, and checks its report.
    pub(crate) fn report(&self, script: &str) -> Value {
        let output = self.start(script).wait_with_output().expect("it ends");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stdout.len() < 24_000, "{} characters", stdout.len());
        assert!(stderr.is_empty(), "stderr: {stderr}");
        checked_report(&stdout)
    }

    /// Starts a rendered script without waiting for it, as the agent does.
    pub(crate) fn start(&self, script: &str) -> Child {
        let file = self.script_file(script);
        self.start_group(&["/bin/sh", "-c", &file])
    }

    /// Starts a command as the leader of a process group of its own.
    pub(crate) fn start_group(&self, command: &[&str]) -> Child {
        self.command(command[0])
            .args(&command[1..])
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter runs")
    }

    /// An executable file with this text, as the agent leaves one in its directory.
    pub(crate) fn script_file(&self, script: &str) -> String {
        let mut file = tempfile::Builder::new()
            .prefix("_script-")
            .tempfile_in(&self.dir)
            .expect("a file");
        file.write_all(script.as_bytes()).expect("written");
        let path = file.into_temp_path().keep().expect("kept");
        run("chmod", &["700", &path.to_string_lossy()]);
        path.to_string_lossy().into_owned()
    }

    /// A file system of `mib` MiB on a loop device of its own, which udev would name `vol-<serial>`; its mount point.
    pub(crate) fn volume(&self, name: &str, fstype: &str, mib: u32, serial: &str) -> String {
        let image = self.dir.path().join(format!("{name}.img"));
        let point = self.dir.path().join(name);
        let (image, point) = (image.to_string_lossy(), point.to_string_lossy());
        run("truncate", &["-s", &format!("{mib}M"), &image]);
        run(&format!("mkfs.{fstype}"), &["-q", &image]);
        let device = run("losetup", &["--find", "--show", &image]);
        let device = device.trim();
        let number = device.trim_start_matches("/dev/loop");
        self.mounts.borrow_mut().push(Mount {
            point: point.as_ref().into(),
            device: device.to_owned(),
        });
        self.sh(&format!(
            "mkdir '{point}' && mknod {device} b 7 {number} && mount {device} '{point}' && chmod 1777 '{point}' &&
             ln -s ../../loop{number} /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol{serial}"
        ));
        point.into_owned()
    }

    /// What an image would hold of volume `name` now, on a volume of its own; its mount point.
    pub(crate) fn captured(&self, name: &str) -> String {
        let copy = format!("{name}-captured-{}", self.mounts.borrow().len());
        let path = |name: &str| text(&self.dir) + "/" + name;
        let image = format!("{}.img", path(&copy));
        run(
            "cp",
            &["--sparse=always", &format!("{}.img", path(name)), &image],
        );
        let device = run("losetup", &["--find", "--show", &image]);
        let (device, point) = (device.trim(), path(&copy));
        let number = device.trim_start_matches("/dev/loop");
        self.mounts.borrow_mut().push(Mount {
            point: point.clone().into(),
            device: device.to_owned(),
        });
        self.sh(&format!(
            "mkdir '{point}' && mknod {device} b 7 {number} && mount {device} '{point}'"
        ));
        point
    }

    /// The guest's uptime in ms.
    pub(crate) fn uptime() -> u64 {
        let text = fs::read_to_string("/proc/uptime").expect("/proc/uptime");
        let (seconds, hundredths) = text
            .split_whitespace()
            .next()
            .and_then(|up| up.split_once('.'))
            .expect("seconds");
        let number = |digits: &str| digits.parse::<u64>().expect("digits");
        number(seconds) * 1000 + number(hundredths) * 10
    }

    pub(crate) fn boot_id() -> String {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot id");
        text.trim().to_owned()
    }

    /// Can every volume be written to, within a second? Whoever writes to a frozen one is left behind until it is thawed.
    pub(crate) fn writes_go_on(&self) -> bool {
        self.mounts.borrow().iter().all(|mount| {
            let script = format!(
                "rm -f /run/wrote
                 (dd if=/dev/zero of='{}/written' count=1 conv=fsync && touch /run/wrote) </dev/null >/dev/null 2>&1 &
                 for _ in {{1..50}}; do [ ! -e /run/wrote ] || exit 0; sleep 0.02; done; exit 1",
                mount.point.display()
            );
            self.try_sh(&script).status.success()
        })
    }

    /// How many switches run.
    pub(crate) fn switches(&self) -> usize {
        // The brackets keep the search from finding itself.
        let list = self.sh("grep -la '[s]witch\\.sh' /proc/[0-9]*/cmdline || :");
        list.lines().count()
    }

    /// Thaws every volume; how many of them were frozen.
    fn thaw(&self) -> usize {
        let thaw = |mount: &Mount| {
            // By the host's own tool, whatever the guest's has been replaced by.
            let point = format!("/proc/{}/root{}", self.guard.id(), mount.point.display());
            let mut command = Command::new("fsfreeze");
            let status = command
                .args(["--unfreeze", &point])
                .stderr(Stdio::null())
                .status();
            status.expect("fsfreeze runs").success()
        };
        self.mounts
            .borrow()
            .iter()
            .filter(|mount| thaw(mount))
            .count()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Before its processes are killed, which cannot die while they write to a frozen volume; and after, when nobody is left to freeze.
        let frozen = self.thaw();
        let _ = self.init.kill();
        let _ = self.init.wait();
        let frozen = frozen + self.thaw();
        // With its sleep, which would keep the mounts alive.
        run("kill", &["-KILL", "--", &format!("-{}", self.guard.id())]);
        let _ = self.guard.wait();
        for mount in self.mounts.borrow().iter() {
            run("losetup", &["--detach", &mount.device]);
        }
        assert!(
            frozen == 0 || std::thread::panicking(),
            "{frozen} volumes were left frozen"
        );
    }
}

/// A /dev that only this guest sees, with the links by which udev names EBS volumes.
const PRIVATE_DEV: &str = "
    mkdir /run/dev && mount -t tmpfs dev /run/dev &&
    cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /run/dev/ &&
    mkdir -p /run/dev/disk/by-id /run/dev/pts /run/dev/shm && mount -t tmpfs shm /run/dev/shm &&
    mkdir -p /run$DIRECTORY && mount --bind $DIRECTORY /run$DIRECTORY &&
    ln -s /proc/self/fd /run/dev/fd && chmod 755 /run/dev && mount --move /run/dev /dev && rmdir /run/dev";

/// Keeps the guest's mounts alive whatever happens to its processes or to the tests, and thaws them all when nobody has ended it in time. It
/// stands outside of the guest's processes, inside of its mounts.
fn guard(init: &Child) -> Child {
    let init = init_pid(init);
    let script = format!(
        "trap '' TERM INT; sleep {GUARD_SECONDS}; for point in /dev/shm/guest-*/*/; do /usr/sbin/fsfreeze --unfreeze $point; done"
    );
    let guard = Command::new("setsid")
        .args(["nsenter", "--target", &init, "--mount", "sh", "-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nsenter runs");
    // Until it has entered, its mounts are the host's.
    let entered = format!(
        "until [ /proc/{}/ns/mnt -ef /proc/{init}/ns/mnt ]; do sleep 0.01; done",
        guard.id()
    );
    run("timeout", &["10", "bash", "-c", &entered]);
    guard
}

/// `unshare` is the parent; the guest's first process is its child.
fn init_pid(unshare: &Child) -> String {
    let id = unshare.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("a child");
    children.trim().to_owned()
}

fn wait_for_line(child: &mut Child) {
    use std::io::{BufRead, BufReader};
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n", "unshare failed");
}

/// Runs a program outside of any guest; what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("{program} is needed: {e}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text(dir: &TempDir) -> String {
    dir.path().to_string_lossy().into_owned()
}

/// Freezing, mounting and namespaces need root; a test that cannot run must not look as if it had.
fn require_root() {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    assert_eq!(
        id.stdout, b"0\n",
        "the guest tests mount and freeze file systems: run them as root"
    );
}
