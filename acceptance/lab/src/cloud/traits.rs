//! What an image says of the machines that are made of it: they have it from their image, and `CreateImage` hands it on.
//! `RegisterImage` knows nothing but what it is told, and fills in defaults that are of no use to such a machine.

use serde_json::{Value, json};

use super::{ec2::params::Params, error::ApiError, settings::Billing};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) architecture: String,
    pub(crate) virtualization: String,
    pub(crate) boot_mode: Option<String>,
    pub(crate) tpm: Option<String>,
    pub(crate) uefi_data: Option<String>,
    pub(crate) imds: Option<String>,
    pub(crate) ena: bool,
    pub(crate) sriov: Option<String>,
    pub(crate) billing: Billing,
}

impl Traits {
    /// Those of the images that came with the lab: nothing is left at its default.
    pub(crate) fn full() -> Self {
        Self {
            architecture: "x86_64".to_owned(),
            virtualization: "hvm".to_owned(),
            boot_mode: Some("uefi-preferred".to_owned()),
            tpm: Some("v2.0".to_owned()),
            uefi_data: Some("QU1aTlVFRkkgb2YgdGhlIGxhYg==".to_owned()),
            imds: Some("v2.0".to_owned()),
            ena: true,
            sriov: Some("simple".to_owned()),
            billing: Billing::default(),
        }
    }

    /// `RegisterImage`'s parameters, with its defaults (API reference).
    pub(crate) fn told(params: &mut Params) -> Result<Self, ApiError> {
        let or = |told: Option<String>, default: &str| told.unwrap_or_else(|| default.to_owned());
        let told = Self {
            architecture: or(params.take("Architecture"), "i386"),
            virtualization: or(params.take("VirtualizationType"), "paravirtual"),
            boot_mode: params.take("BootMode"),
            tpm: params.take("TpmSupport"),
            uefi_data: params.take("UefiData"),
            imds: params.take("ImdsSupport"),
            ena: params.flag("EnaSupport")?,
            sriov: params.take("SriovNetSupport"),
            billing: Billing::default(),
        };
        let uefi = matches!(told.boot_mode.as_deref(), Some("uefi" | "uefi-preferred"));
        if (told.tpm.is_some() || told.uefi_data.is_some()) && !uefi {
            return Err(ApiError::invalid_value(
                "TpmSupport and UefiData need a boot mode of UEFI",
            ));
        }
        Ok(told)
    }

    /// Why no instance of `kind` can be made of it.
    pub(crate) fn unfit(&self, kind: &str) -> Option<ApiError> {
        let message = if self.architecture != "x86_64" {
            format!(
                "The architecture 'x86_64' of the specified instance type does not match the architecture '{}' of the \
                 specified AMI.",
                self.architecture
            )
        } else if self.virtualization != "hvm" {
            format!("Non-HVM virtualization types are not supported for the instance type {kind}")
        } else if !self.ena {
            format!(
                "Enhanced networking with the Elastic Network Adapter (ENA) is required for the '{kind}' instance type."
            )
        } else {
            return None;
        };
        Some(ApiError::new("InvalidParameterCombination", message))
    }

    /// The members that images and instances show alike.
    pub(crate) fn shown(&self) -> Value {
        let codes = self.billing.product_codes.iter();
        let codes: Vec<Value> = codes
            .map(|code| json!({"productCode": code, "type": "marketplace"}))
            .collect();
        json!({
            "architecture": self.architecture,
            "virtualizationType": self.virtualization,
            "bootMode": self.boot_mode,
            "tpmSupport": self.tpm,
            "enaSupport": self.ena,
            "sriovNetSupport": self.sriov,
            "platformDetails": self.billing.platform,
            "usageOperation": self.billing.operation,
            "productCodes": codes,
        })
    }
}

/// What a volume of an image is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VolumeKind {
    pub(crate) name: String,
    pub(crate) iops: Option<u32>,
    pub(crate) throughput: Option<u32>,
}

impl VolumeKind {
    pub(crate) fn gp3(iops: u32, throughput: u32) -> Self {
        Self {
            name: "gp3".to_owned(),
            iops: Some(iops),
            throughput: Some(throughput),
        }
    }

    /// The fields of a block device mapping, with EC2's defaults: a volume of no kind is gp2, and a gp3 of nothing else has
    /// 3,000 IOPS and 125 MiB/s (EBS user guide, "General Purpose SSD volumes").
    pub(crate) fn told(mapping: &mut Params) -> Result<Self, ApiError> {
        let name = mapping
            .take("Ebs.VolumeType")
            .unwrap_or_else(|| "gp2".to_owned());
        let (iops, throughput) = (
            mapping.parsed("Ebs.Iops")?,
            mapping.parsed("Ebs.Throughput")?,
        );
        match name.as_str() {
            "gp3" => Ok(Self::gp3(iops.unwrap_or(3_000), throughput.unwrap_or(125))),
            "io1" | "io2" if iops.is_some() && throughput.is_none() => Ok(Self {
                name,
                iops,
                throughput,
            }),
            "gp2" if iops.is_none() && throughput.is_none() => Ok(Self {
                name,
                iops,
                throughput,
            }),
            _ => Err(ApiError::new(
                "InvalidParameterCombination",
                format!("The parameters iops and throughput do not fit {name} volumes."),
            )),
        }
    }
}
