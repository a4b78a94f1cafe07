//! EC2, as far as images, their snapshots and the instances around them reach.

mod account;
mod attributes;
mod capture;
pub(crate) mod filters;
mod images;
mod instances;
mod launch;
mod network;
pub(crate) mod pages;
pub(crate) mod params;
mod power;
mod register;
mod shapes;
mod snapshots;
mod tagging;
mod upkeep;
mod volumes;

use self::params::Params;
use super::{
    call::{Answer, Call},
    error::ApiError,
};

pub(crate) use launch::launch;
pub(crate) use power::reboot_running;
pub use register::ImportedDevice;
pub(crate) use register::import;

/// Names the actions once: for the dispatch and for the tests that go through all of them.
macro_rules! actions {
    ($($name:literal => $handler:path $(, $wait:tt)?;)*) => {
        /// Every action that is understood.
        pub(crate) const ACTIONS: &[&str] = &[$($name),*];

        pub(crate) async fn act(call: &Call<'_>, action: &str, params: Params) -> Answer {
            match action {
                $($name => $handler(call, params)$(.$wait)?,)*
                _ => Err(ApiError::new(
                    "InvalidAction",
                    format!("The action {action} is not valid for this web service."),
                )),
            }
        }
    };
}

actions! {
    "CreateImage" => images::create;
    "CreateSnapshot" => snapshots::create, await;
    "CreateSnapshots" => snapshots::create_several, await;
    "CreateTags" => tagging::create;
    "DeleteSnapshot" => snapshots::delete, await;
    "DeleteTags" => tagging::delete;
    "DeregisterImage" => register::deregister, await;
    "DescribeAccountAttributes" => account::attributes;
    "DescribeAvailabilityZones" => account::zones;
    "DescribeImageAttribute" => attributes::image;
    "DescribeImages" => images::describe;
    "DescribeInstanceAttribute" => attributes::instance;
    "DescribeInstanceCreditSpecifications" => attributes::credits;
    "DescribeInstanceStatus" => instances::status;
    "DescribeInstanceTypes" => account::instance_types;
    "DescribeInstances" => instances::describe;
    "DescribeRegions" => account::regions;
    "DescribeSecurityGroups" => network::security_groups;
    "DescribeSnapshots" => snapshots::describe;
    "DescribeSubnets" => network::subnets;
    "DescribeTags" => tagging::describe;
    "DescribeVolumes" => volumes::describe;
    "DescribeVpcs" => network::vpcs;
    "DisableImageDeprecation" => upkeep::do_not_deprecate;
    "DisableImageDeregistrationProtection" => upkeep::unprotect;
    "EnableImageDeprecation" => upkeep::deprecate;
    "EnableImageDeregistrationProtection" => upkeep::protect;
    "GetInstanceUefiData" => attributes::uefi_data;
    "ModifyImageAttribute" => attributes::modify_image;
    "ModifyInstanceAttribute" => attributes::modify_instance;
    "RebootInstances" => power::reboot;
    "RegisterImage" => register::register;
    "RunInstances" => launch::run;
    "StartInstances" => power::start;
    "StopInstances" => power::stop;
    "TerminateInstances" => power::terminate;
}
