//! What an instance and an image are billed as. `RegisterImage` derives that from what EC2 recorded with the snapshots, if it
//! recorded it (API reference of `RegisterImage`): where there is something to lose, nothing is registered.

use aws_sdk_ec2::types::{Image, Instance, ProductCode};

/// The usage operation of Linux without a licence (EC2 user guide, "AMI billing information fields").
const PLAIN: &str = "RunInstances";

pub(super) fn of_instance(instance: &Instance) -> String {
    told(
        instance.platform_details(),
        instance.usage_operation(),
        instance.product_codes(),
    )
}

pub(super) fn of_image(image: &Image) -> String {
    told(
        image.platform_details(),
        image.usage_operation(),
        image.product_codes(),
    )
}

/// What an image of this instance may lose by being registered, in sentences.
pub(super) fn lost(instance: &Instance) -> Vec<String> {
    let is_licensed = instance.usage_operation().is_some_and(|it| it != PLAIN);
    if !is_licensed && instance.product_codes().is_empty() {
        return Vec::new();
    }
    let (id, billing) = (
        instance.instance_id().unwrap_or_default(),
        of_instance(instance),
    );
    vec![format!(
        "instance {id} is billed as {billing}, and an image that is registered of snapshots may not be"
    )]
}

/// `Red Hat Enterprise Linux (RunInstances:0010), product code 4i20ezfza3p7xx2kt2g8weu2u`
fn told(platform: Option<&str>, operation: Option<&str>, codes: &[ProductCode]) -> String {
    let (platform, operation) = (platform.unwrap_or_default(), operation.unwrap_or_default());
    let mut codes: Vec<&str> = codes.iter().filter_map(|it| it.product_code_id()).collect();
    codes.sort_unstable();
    let codes = codes.iter().map(|code| format!(", product code {code}"));
    format!("{platform} ({operation}){}", codes.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(platform: &str, operation: &str, codes: &[&str]) -> Instance {
        let code = |id: &&str| ProductCode::builder().product_code_id(*id).build();
        Instance::builder()
            .instance_id("i-1")
            .platform_details(platform)
            .usage_operation(operation)
            .set_product_codes(Some(codes.iter().map(code).collect()))
            .build()
    }

    #[test]
    fn a_licence_and_a_product_code_can_be_lost() {
        assert!(lost(&instance("Linux/UNIX", "RunInstances", &[])).is_empty());
        assert!(
            lost(&Instance::builder().build()).is_empty(),
            "nothing told"
        );
        for (bound, told) in [
            (
                instance("SUSE Linux", "RunInstances:000g", &[]),
                "SUSE Linux (RunInstances:000g)",
            ),
            (
                instance("Linux/UNIX", "RunInstances", &["b", "a"]),
                "Linux/UNIX (RunInstances), product code a, product code b",
            ),
        ] {
            let [sentence] = lost(&bound).try_into().expect("one");
            assert!(
                sentence.contains("i-1") && sentence.contains(told),
                "{sentence}"
            );
        }
    }

    #[test]
    fn image_and_instance_are_told_alike() {
        let image = Image::builder()
            .platform_details("Linux/UNIX")
            .usage_operation("RunInstances")
            .build();
        let instance = instance("Linux/UNIX", "RunInstances", &[]);
        assert_eq!(of_image(&image), of_instance(&instance));
        assert_ne!(of_image(&Image::builder().build()), of_instance(&instance));
    }
}
