//! `RunInstances`: volumes from the image's snapshots, then a machine on them.

use std::{collections::BTreeMap, io, sync::Arc};

use time::OffsetDateTime;

use super::{
    account::INSTANCE_TYPE, images, images::tagging_at_creation, network, params::Params, power,
    shapes,
};
use crate::cloud::{
    Cloud,
    call::{Answer, Call},
    error::ApiError,
    hypervisor::Outcome,
    iam::Access,
    ids,
    tags::{self, Tags},
    world::{
        AttachedDevice, Image, ImageDevice, ImageState, Instance, InstanceState, ShutdownBehavior,
        Volume,
    },
};

pub(super) fn run(call: &Call<'_>, mut params: Params) -> Answer {
    let request = Request::read(&mut params, &call.cloud.zone())?;
    let image = images::visible(&call.cloud.world(), &request.image)
        .cloned()
        .ok_or_else(|| images::not_found(&request.image))?;
    call.admit(params, &request.accesses(call, &image))?;
    if let Some(again) = request.repeated(call.cloud) {
        return Ok(shapes::reservation(call.cloud, &again));
    }
    if image.state != ImageState::Available {
        return Err(ApiError::new(
            "InvalidAMIID.Unavailable",
            format!("The image ID '{}' is not available", image.id),
        ));
    }
    if let Some(unfit) = image.traits.unfit(INSTANCE_TYPE) {
        return Err(unfit);
    }
    let instance = begin(call.cloud, request, &image).map_err(ApiError::internal)?;
    Ok(shapes::reservation(call.cloud, &instance))
}

/// Launches an instance with every default, named by a tag, and returns its id.
pub(crate) fn launch(cloud: &Arc<Cloud>, image: &str, name: &str) -> io::Result<String> {
    let found = images::visible(&cloud.world(), image).cloned();
    let image = found.ok_or_else(|| io::Error::other(format!("no such image: {image}")))?;
    let request = Request {
        image: image.id.clone(),
        client_token: ids::uuid(),
        instance_tags: [("Name".to_owned(), name.to_owned())].into(),
        ..Request::default()
    };
    Ok(begin(cloud, request, &image)?.id)
}

fn begin(cloud: &Arc<Cloud>, request: Request, image: &Image) -> io::Result<Instance> {
    let (instance, volumes) = request.records(image);
    {
        let mut world = cloud.world();
        world
            .instances
            .insert(instance.id.clone(), instance.clone());
        world
            .volumes
            .extend(volumes.iter().map(|v| (v.id.clone(), v.clone())));
    }
    // The service must listen before the guest's agent looks for it.
    cloud.listen(&instance.id)?;
    tokio::spawn(power_on(cloud.clone(), instance.id.clone(), volumes));
    Ok(instance)
}

async fn power_on(cloud: Arc<Cloud>, id: String, volumes: Vec<Volume>) {
    let outcome = match make_volumes(&cloud, &volumes).await {
        Ok(()) => power::boot(&cloud, &id).await,
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        tracing::error!(%error, instance = id, "launch failed");
        let reason = format!("Server.InternalError: {error}");
        power::entered(&cloud, &id, InstanceState::Terminated, &reason);
    }
}

async fn make_volumes(cloud: &Cloud, volumes: &[Volume]) -> Outcome<()> {
    for volume in volumes {
        let from = volume.snapshot.as_deref().unwrap_or_default();
        let made = cloud
            .hypervisor
            .create_volume(&volume.id, from, volume.size_gib);
        made.await?;
    }
    Ok(())
}

/// `RunInstances`' parameters, as far as they mean something to a machine made of namespaces.
#[derive(Default)]
struct Request {
    image: String,
    client_token: String,
    key_name: Option<String>,
    user_data: Option<String>,
    profile: Option<String>,
    private_ip: Option<String>,
    termination_protected: bool,
    stop_protected: bool,
    on_shutdown: ShutdownBehavior,
    metadata: BTreeMap<&'static str, String>,
    instance_tags: Tags,
    volume_tags: Tags,
    overrides: BTreeMap<String, DeviceOverride>,
}

struct DeviceOverride {
    size_gib: Option<u64>,
    delete_on_termination: Option<bool>,
}

const METADATA_OPTIONS: [&str; 5] = [
    "HttpTokens",
    "HttpPutResponseHopLimit",
    "HttpEndpoint",
    "HttpProtocolIpv6",
    "InstanceMetadataTags",
];

/// What makes no difference to such a machine.
const WITHOUT_EFFECT: [&str; 3] = ["EbsOptimized", "Monitoring.Enabled", "Placement.Tenancy"];

impl Request {
    fn read(params: &mut Params, zone: &str) -> Result<Self, ApiError> {
        one_instance(params)?;
        for name in WITHOUT_EFFECT {
            params.take(name);
        }
        params.only("InstanceType", INSTANCE_TYPE)?;
        params.only("Placement.AvailabilityZone", zone)?;
        params.only("HibernationOptions.Configured", "false")?;
        params.only("EnclaveOptions.Enabled", "false")?;
        let private_ip = network_of(params)?;
        let mut tags = tags::specifications(params, &["instance", "volume", "network-interface"])?;
        Ok(Self {
            image: params.require("ImageId")?,
            client_token: params.take("ClientToken").unwrap_or_else(ids::uuid),
            key_name: params.take("KeyName"),
            user_data: params.take("UserData"),
            profile: params.take("IamInstanceProfile.Name"),
            private_ip,
            termination_protected: params.flag("DisableApiTermination")?,
            stop_protected: params.flag("DisableApiStop")?,
            on_shutdown: shutdown_behavior(params)?,
            metadata: METADATA_OPTIONS
                .into_iter()
                .filter_map(|name| Some((name, params.take(&format!("MetadataOptions.{name}"))?)))
                .collect(),
            instance_tags: tags.remove("instance").unwrap_or_default(),
            volume_tags: tags.remove("volume").unwrap_or_default(),
            overrides: overrides(params)?,
        })
    }

    fn accesses(&self, call: &Call<'_>, image: &Image) -> Vec<Access> {
        let on = |kind: &str, id: &str| Access::new("ec2:RunInstances", call.cloud.arn(kind, id));
        let mut accesses = vec![
            on("image", &image.id).carrying(&image.tags),
            on("instance", "*").requesting(&self.instance_tags),
            on("volume", "*").requesting(&self.volume_tags),
            on("network-interface", "*"),
            on("subnet", network::SUBNET),
        ];
        for (kind, tags) in [
            ("instance", &self.instance_tags),
            ("volume", &self.volume_tags),
        ] {
            accesses.extend(tagging_at_creation(call, "RunInstances", kind, tags));
        }
        accesses
    }

    /// The instance that the same client token made before.
    fn repeated(&self, cloud: &Cloud) -> Option<Instance> {
        let world = cloud.world();
        let made = world.instances.values();
        made.into_iter()
            .find(|instance| instance.client_token == self.client_token)
            .cloned()
    }

    /// A volume from the image, and where it is attached.
    fn device(&self, device: &ImageDevice, now: OffsetDateTime) -> (AttachedDevice, Volume) {
        let change = self.overrides.get(&device.name);
        let volume = Volume {
            id: ids::resource("vol"),
            size_gib: change.and_then(|c| c.size_gib).unwrap_or(device.size_gib),
            snapshot: device.snapshot.clone(),
            created: now,
            kind: device.kind.clone(),
            tags: self.volume_tags.clone(),
            last_snapshot: None,
        };
        let attached = AttachedDevice {
            name: device.name.clone(),
            volume: volume.id.clone(),
            delete_on_termination: change
                .and_then(|c| c.delete_on_termination)
                .unwrap_or(device.delete_on_termination),
            attached: now,
        };
        (attached, volume)
    }

    fn records(self, image: &Image) -> (Instance, Vec<Volume>) {
        let now = OffsetDateTime::now_utc();
        let devices = image.devices.iter().map(|device| self.device(device, now));
        let (devices, volumes) = devices.unzip();
        let instance = Instance {
            devices,
            id: ids::resource("i"),
            image: image.id.clone(),
            state: InstanceState::Pending,
            reason: String::new(),
            launched: now,
            root_device: image.root_device.clone(),
            private_ip: self.private_ip.unwrap_or_else(random_ip),
            profile: self.profile,
            key_name: self.key_name,
            user_data: self.user_data,
            client_token: self.client_token,
            termination_protected: self.termination_protected,
            stop_protected: self.stop_protected,
            on_shutdown: self.on_shutdown,
            source_dest_check: true,
            metadata: self.metadata,
            traits: image.traits.clone(),
            tags: self.instance_tags,
        };
        (instance, volumes)
    }
}

fn one_instance(params: &mut Params) -> Result<(), ApiError> {
    for name in ["MinCount", "MaxCount"] {
        if params.require(name)? != "1" {
            return Err(ApiError::new(
                "InstanceLimitExceeded",
                "One instance is launched at a time here.",
            ));
        }
    }
    Ok(())
}

fn shutdown_behavior(params: &mut Params) -> Result<ShutdownBehavior, ApiError> {
    match params.take("InstanceInitiatedShutdownBehavior").as_deref() {
        None | Some("stop") => Ok(ShutdownBehavior::Stop),
        Some("terminate") => Ok(ShutdownBehavior::Terminate),
        Some(other) => Err(ApiError::invalid_value(format!(
            "Invalid value '{other}' for instanceInitiatedShutdownBehavior"
        ))),
    }
}

/// The private address, if one is asked for. There is one subnet and one security group.
fn network_of(params: &mut Params) -> Result<Option<String>, ApiError> {
    let mut subnet = params.take("SubnetId");
    let mut groups = params.list("SecurityGroupId");
    let mut address = params.take("PrivateIpAddress");
    for mut interface in params.groups("NetworkInterface") {
        interface.take("DeviceIndex");
        interface.take("DeleteOnTermination");
        interface.take("AssociatePublicIpAddress");
        subnet = interface.take("SubnetId").or(subnet);
        groups.extend(interface.list("SecurityGroupId"));
        address = interface.take("PrivateIpAddress").or(address);
        interface.finish()?;
    }
    network::check(subnet.as_ref(), &groups)?;
    Ok(address)
}

fn overrides(params: &mut Params) -> Result<BTreeMap<String, DeviceOverride>, ApiError> {
    let groups = params.groups("BlockDeviceMapping").into_iter();
    groups
        .map(|mut group| {
            let name = group.require("DeviceName")?;
            let change = DeviceOverride {
                size_gib: group.parsed("Ebs.VolumeSize")?,
                delete_on_termination: group.parsed("Ebs.DeleteOnTermination")?,
            };
            group.finish()?;
            Ok((name, change))
        })
        .collect()
}

fn random_ip() -> String {
    format!("172.31.{}.{}", fastrand::u8(0..16), fastrand::u8(4..250))
}
