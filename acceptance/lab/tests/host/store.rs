//! A snapshot is one instant of its volume, under any load.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use lab::host::{HostError, Monotonic, SnapshotFile};

use crate::support::{LONG, Lab};

const BLOCK: usize = 4096;
const WRITERS: u64 = 4;
/// Blocks of a writer, which it fills round and round.
const REGION: u64 = 512;

/// A write: its number is what it wrote.
struct Write {
    number: u64,
    began: Monotonic,
    ended: Monotonic,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_under_load_is_a_cut_in_time() {
    let lab = Lab::open().await;
    let volume = lab.host().create_volume(1, None).await.unwrap();
    let device = Attached::new(&volume.path);
    let stop = AtomicBool::new(false);
    let next = AtomicU64::new(1);
    let mut snapshots = Vec::new();
    let writes: Vec<Vec<Write>> = thread::scope(|scope| {
        let (device, stop, next) = (&device.0, &stop, &next);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write_until(stop, next, device, writer)))
            .collect();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for _ in 0..5 {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    snapshots.push(lab.host().snapshot(&volume).await.unwrap());
                }
            });
        });
        stop.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    for snapshot in &snapshots {
        check_cut(snapshot, &writes);
    }
    drop(device);
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_snapshots_and_their_deletion() {
    let lab = Lab::open().await;
    let host = lab.host();
    let volume = host.create_volume(1, None).await.unwrap();
    let write = |path: &Path, text: &[u8]| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(text, 0).unwrap();
    };
    let read = |path: &Path| {
        let mut text = [0; 5];
        File::open(path)
            .unwrap()
            .read_exact_at(&mut text, 0)
            .unwrap();
        text
    };
    write(&volume.path, b"first");
    let snapshot = host.snapshot(&volume).await.unwrap();
    write(&volume.path, b"later");
    let clone = host.volume_from_snapshot(&snapshot, Some(2)).await.unwrap();
    assert_eq!(clone.size_bytes, 2 << 30);
    assert_eq!(std::fs::metadata(&clone.path).unwrap().len(), 2 << 30);
    assert_eq!(
        (&read(&clone.path), &read(&volume.path)),
        (b"first", b"later")
    );

    let attached = Attached::new(&clone.path);
    let refused = host.delete_volume(&clone);
    assert!(
        matches!(refused, Err(HostError::Attached(_))),
        "{refused:?}"
    );
    attached.gone().await;
    host.delete_volume(&clone).unwrap();
    host.delete_snapshot(&snapshot).unwrap();
    assert!(!clone.path.exists() && !snapshot.path.exists());
    assert_eq!(&read(&volume.path), b"later");
    lab.close().await;
}

/// One instant: what ended before some present write began is present too, and so is what ended before the call; what
/// began after the call is not.
fn check_cut(snapshot: &SnapshotFile, writes: &[Vec<Write>]) {
    let file = File::open(&snapshot.path).unwrap();
    let newest: Vec<u64> = (0..WRITERS)
        .map(|writer| newest_of(&file, writer))
        .collect();
    let present = |writer: usize, write: &Write| write.number <= newest[writer];
    let all = || {
        writes
            .iter()
            .enumerate()
            .flat_map(|(writer, writes)| writes.iter().map(move |write| (writer, write)))
    };
    let latest_begin = all()
        .filter(|(writer, write)| present(*writer, write))
        .map(|(_, write)| write.began)
        .max()
        .expect("something was written");
    let mut counted = 0;
    for (writer, write) in all() {
        let must = write.ended < latest_begin || write.ended < snapshot.began;
        let may = write.began <= snapshot.taken_at;
        assert!(
            !must || present(writer, write),
            "write {} is missing",
            write.number
        );
        assert!(
            may || !present(writer, write),
            "write {} is from the future",
            write.number
        );
        counted += 1;
    }
    assert!(counted > 100, "only {counted} writes: no load");
    let took = snapshot.taken_at - snapshot.began;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// The newest write of a writer, whose region must hold an unbroken run of its writes.
fn newest_of(file: &File, writer: u64) -> u64 {
    let mut numbers: Vec<u64> = (0..REGION)
        .map(|block| {
            let mut number = [0; 8];
            let offset = (writer * REGION + block) * BLOCK as u64;
            file.read_exact_at(&mut number, offset).unwrap();
            u64::from_le_bytes(number)
        })
        .collect();
    let newest = numbers.iter().copied().max().unwrap();
    // Written round and round: from one place on, everything is of the round before.
    let turn = numbers.iter().position(|number| *number == newest).unwrap();
    let after = numbers.len() - 1 - turn;
    numbers.rotate_right(after);
    assert!(numbers.is_sorted(), "writer {writer}: {numbers:?}");
    newest
}

fn write_until(stop: &AtomicBool, next: &AtomicU64, device: &Path, region: u64) -> Vec<Write> {
    const O_DIRECT: i32 = 0o40000;
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .custom_flags(O_DIRECT)
        .open(device)
        .unwrap();
    let mut space = vec![0_u8; 2 * BLOCK];
    // Direct I/O wants an aligned buffer.
    let aligned = space.as_ptr().align_offset(BLOCK);
    let buffer = &mut space[aligned..aligned + BLOCK];
    let mut writes = Vec::new();
    for block in (0..REGION).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let number = next.fetch_add(1, Ordering::SeqCst);
        buffer[..8].copy_from_slice(&number.to_le_bytes());
        let began = Monotonic::now();
        let offset = (region * REGION + block) * BLOCK as u64;
        file.write_all_at(buffer, offset).unwrap();
        let ended = Monotonic::now();
        writes.push(Write {
            number,
            began,
            ended,
        });
    }
    writes
}

/// A loop device as the lab's own are, for a test that has no instance.
struct Attached(PathBuf);

impl Attached {
    fn new(file: &Path) -> Self {
        let mut losetup = Command::new("losetup");
        losetup
            .args(["--find", "--show", "--direct-io=on", "--sector-size=4096"])
            .arg(file);
        let printed = losetup.output().unwrap().stdout;
        Self(PathBuf::from(String::from_utf8(printed).unwrap().trim()))
    }

    /// Detaches it, and waits until the kernel has: somebody who looks over all the machine's devices puts that off.
    async fn gone(self) {
        let device = self.0.file_name().unwrap().to_owned();
        let backing = Path::new("/sys/block")
            .join(device)
            .join("loop/backing_file");
        let file = std::fs::read(&backing).unwrap();
        drop(self);
        let gone = async {
            while std::fs::read(&backing).is_ok_and(|now| now == file) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, gone).await.expect("detached");
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let status = Command::new("losetup")
            .arg("--detach")
            .arg(&self.0)
            .status();
        assert!(status.unwrap().success());
    }
}
