//! One server as both sides see it: PostgreSQL with its data and its log on a volume each, beside a root volume.

use serde_json::{Value, json};

use crate::{
    engines::{Engine, Options},
    ports::{AttachedVolume, Instance, VolumeId},
    report::{self, Probe},
    session::SessionId,
    testing::reply,
};

pub const BOOT_ID: &str = "2f6d7c1e-7d0b-4c5e-9a53-0f7c6d6f2a11";
pub const MOUNTS: [&str; 2] = ["/var/lib/postgresql", "/var/lib/postgresql/wal"];
pub const RECOVERY_POINT: &str = "0/3000028";

/// What the instance is billed as.
pub const BILLING: &str = "Linux/UNIX (RunInstances)";

/// The volumes of the instance, the root volume first.
pub const VOLUMES: [(&str, &str); 3] = [
    ("vol-0000000000000000a", "/dev/xvda"),
    ("vol-0000000000000000b", "/dev/sdf"),
    ("vol-0000000000000000c", "/dev/sdg"),
];

/// The engine with everything left to detection.
pub fn engines() -> Vec<Options> {
    vec![Options::new(
        Engine::named("postgresql").expect("an engine of ours"),
    )]
}

/// What EC2 says.
pub fn instance() -> Instance {
    let volumes = VOLUMES.map(|(id, device)| AttachedVolume {
        volume_id: VolumeId(id.to_owned()),
        device_name: device.to_owned(),
    });
    Instance {
        id: "i-0123456789abcdef0".to_owned(),
        state: "running".to_owned(),
        root_device_name: "/dev/xvda".to_owned(),
        volumes: volumes.to_vec(),
        billing: BILLING.to_owned(),
        lost_by_registering: Vec::new(),
    }
}

/// What the guest says: ready.
pub fn probe() -> Probe {
    let session = SessionId::random();
    let reply = reply(&probe_report(session.as_str(), BOOT_ID, 1_000).to_string());
    let report = report::read::<Probe>(&reply, &session).expect("a sound report");
    report.body
}

/// The probe's report in full.
pub fn probe_report(session: &str, boot_id: &str, uptime_ms: u64) -> Value {
    json!({
        "report": 1, "session": session, "phase": "probe", "outcome": "ready",
        "boot_id": boot_id, "uptime_ms": uptime_ms, "warnings": [], "problems": [],
        "hold_in_progress": null, "service_manager": "systemd",
        "servers": [{
            "engine": "postgresql", "version": "15.14", "role": "primary", "pid": 812, "os_user": "postgres",
            "port": 5432, "socket_directory": "/var/run/postgresql",
            "data_directory": "/var/lib/postgresql/15/main", "service": "postgresql@15-main.service",
            "paths": [
                {"path": "/var/lib/postgresql/15/main", "purpose": "data"},
                {"path": "/var/lib/postgresql/wal/15", "purpose": "wal"},
                {"path": "/etc/postgresql/15/main", "purpose": "config"},
            ],
        }],
        "mounts": [
            mount(MOUNTS[0], "259:1", true, "/var/lib/postgresql/15/main", ("nvme1n1", VOLUMES[1].0)),
            mount(MOUNTS[1], "259:2", true, "/var/lib/postgresql/wal/15", ("nvme2n1", VOLUMES[2].0)),
            mount("/", "259:0", false, "/etc/postgresql/15/main", ("nvme0n1", VOLUMES[0].0)),
        ],
    })
}

fn mount(point: &str, device: &str, data: bool, path: &str, (name, volume): (&str, &str)) -> Value {
    let needed = (point == "/").then_some("the root file system");
    json!({
        "mount_point": point, "source": format!("/dev/{name}"), "fstype": "ext4", "device": device, "data": data,
        "paths": [path], "needed_by_guest": needed, "freezable": true,
        "leaves": [{"device": device, "name": name, "volume_id": volume}],
    })
}
