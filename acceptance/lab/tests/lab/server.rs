//! One database server behind the APIs: captured, restored, held, rebooted.

use std::{collections::BTreeMap, time::Duration};

use lab::{
    cloud::{
        ApiError, Lab, LabConfig,
        faults::{Effect, Fault},
        iam::User,
        journal::Event,
        settings::Stagger,
    },
    engines::POSTGRESQL,
    host::{HostConfig, Layout, ServerSpec, witness::HoldMethod},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const LONG: Duration = Duration::from_mins(2);

struct Server {
    lab: Lab,
    instance: String,
    _dir: TempDir,
}

impl Server {
    async fn start() -> Self {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let host = HostConfig::new(dir.path(), env!("CARGO_BIN_EXE_lab"));
        let lab = Lab::start(LabConfig::new(dir.path()), host).await.unwrap();
        let server = ServerSpec {
            size: 1,
            ..POSTGRESQL.server
        };
        let image = lab.golden_image(Layout::TwoExt4, &server).await.unwrap();
        let instance = lab.launch(&image, "production").unwrap();
        lab.ready(&instance, LONG).await.unwrap();
        Self {
            lab,
            instance,
            _dir: dir,
        }
    }

    async fn call(&self, action: &str, input: Value) -> Result<Value, ApiError> {
        self.lab.call(User::Operator, action, input).await
    }

    /// Sends a script to an instance and returns its command id.
    async fn send(&self, instance: &str, script: &str) -> String {
        let input = json!({
            "DocumentName": "AWS-RunShellScript",
            "InstanceIds": [instance],
            "Parameters": {"commands": [script]},
        });
        let sent = self.call("ssm:SendCommand", input).await.unwrap();
        sent["Command"]["CommandId"].as_str().unwrap().to_owned()
    }

    /// Waits for a command's end and returns its stdout; it must succeed.
    async fn output(&self, instance: &str, command: &str) -> String {
        let begun = Instant::now();
        loop {
            let input = json!({"CommandId": command, "InstanceId": instance});
            let shown = self.call("ssm:GetCommandInvocation", input).await;
            match shown.as_ref().map(|shown| shown["Status"].as_str()) {
                Ok(Some("Success")) => {
                    let stdout = shown.unwrap()["StandardOutputContent"].take();
                    return stdout.as_str().unwrap().trim().to_owned();
                }
                Ok(Some("Pending" | "InProgress")) | Err(_) => {}
                _ => panic!("{shown:?}"),
            }
            assert!(begun.elapsed() < LONG, "{shown:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn run(&self, instance: &str, script: &str) -> String {
        let command = self.send(instance, script).await;
        self.output(instance, &command).await
    }

    async fn image(&self, name: &str) -> String {
        let input = json!({"InstanceId": self.instance, "Name": name, "NoReboot": "true"});
        let made = self.call("ec2:CreateImage", input).await.unwrap();
        let image = made["imageId"].as_str().unwrap().to_owned();
        let begun = Instant::now();
        loop {
            let input = json!({"ImageId.1": image});
            let shown = self.call("ec2:DescribeImages", input).await.unwrap();
            if shown["imagesSet"][0]["imageState"] == "available" {
                return image;
            }
            assert!(begun.elapsed() < LONG, "{shown}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

const COUNT: &str = "runuser -u postgres -- psql -AtXc 'select count(*) from marks' 2>&1";

#[tokio::test(flavor = "multi_thread")]
async fn an_image_boots_into_what_was_captured() {
    let server = Server::start().await;
    let mark =
        "runuser -u postgres -- psql -qXc 'create table marks as select generate_series(1, 1234)'";
    server.run(&server.instance, mark).await;
    server.lab.configure(|settings| {
        settings.capture.stagger = Stagger::Fixed {
            ms: vec![0, 300, 300],
        };
    });
    let image = server.image("captured").await;
    let restored = server.lab.launch(&image, "restored").unwrap();
    server.lab.ready(&restored, LONG).await.unwrap();
    assert_eq!(server.run(&restored, COUNT).await, "1234");
    let whoami = "echo $AWS_SSM_INSTANCE_ID; ls /dev/disk/by-id | grep -c nvme-Amazon_Elastic_Block_Store_vol0";
    let told = server.run(&restored, whoami).await;
    let (id, disks) = told.split_once('\n').unwrap();
    assert_eq!(id, restored);
    assert!(disks.trim().parse::<u32>().unwrap() >= 3, "{told}");
    let taken = snapshots(&server.lab);
    let apart = *taken.values().max().unwrap() - *taken.values().min().unwrap();
    assert!((250_000..600_000).contains(&apart), "{apart} µs");
    server.lab.close().await.unwrap();
}

/// Snapshot id -> when it was really taken, in µs.
fn snapshots(lab: &Lab) -> BTreeMap<String, u64> {
    let entries = lab.journal().entries().unwrap();
    let taken = entries.into_iter().filter_map(|entry| match entry.event {
        Event::Snapshot {
            snapshot, taken_at, ..
        } => Some((snapshot, taken_at.as_micros())),
        _ => None,
    });
    taken.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_in_the_guest_stands_in_the_journal() {
    let server = Server::start().await;
    let script = "set -e; (sleep 20; fsfreeze -u /srv/wal) >/dev/null 2>&1 & \
                  fsfreeze -f /srv/wal; sleep 1; fsfreeze -u /srv/wal; kill $!; echo thawed";
    assert_eq!(server.run(&server.instance, script).await, "thawed");
    let holds = server.lab.holds(&server.instance).await.unwrap();
    let [hold] = holds.as_slice() else {
        panic!("{holds:?}");
    };
    assert_eq!(hold.method, HoldMethod::Freeze);
    let duration = hold.let_go.unwrap() - hold.began;
    assert!((1.0..1.5).contains(&duration.as_secs_f64()), "{duration:?}");
    let witnessed = server.lab.journal().entries().unwrap().into_iter();
    let witnessed = witnessed.filter(|entry| match &entry.event {
        Event::Witness { what } => what.instance.as_ref() == Some(&server.instance),
        _ => false,
    });
    assert!(witnessed.count() >= 2);
    server.lab.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_in_the_middle_of_a_command_runs_it_again() {
    let server = Server::start().await;
    let boot = server
        .run(&server.instance, "cat /proc/sys/kernel/random/boot_id")
        .await;
    let reboot = Effect::Reboot { ms: 1_500 };
    server
        .lab
        .fault(Fault::on("ssm:SendCommand", reboot).once());
    let script = "if test -e /root/once; then cat /proc/sys/kernel/random/boot_id; exit; fi; \
                  touch /root/once; sync; sleep 100";
    let command = server.send(&server.instance, script).await;
    let again = server.output(&server.instance, &command).await;
    assert!(again.len() == 36 && again != boot, "{again}");
    server.lab.close().await.unwrap();
}
