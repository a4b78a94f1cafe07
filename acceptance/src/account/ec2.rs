//! EC2's query protocol, spoken by curl, which signs requests itself: a client that shares nothing with the provider's,
//! and spares this crate a second build of the AWS SDK.

use std::process::Stdio;

use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::shapes::Refusal;
use crate::{Error, configuration::Access};

/// The version of the EC2 API, unchanged since.
const VERSION: &str = "2016-11-15";

/// Seconds; the lab may be told to be slow.
const WITHIN: &str = "60";

/// One caller.
#[derive(Clone, Debug)]
pub(super) struct Ec2 {
    endpoint: String,
    /// `--aws-sigv4`'s argument.
    scope: String,
    /// `key:secret`
    user: String,
}

impl Ec2 {
    pub(super) fn new(access: &Access) -> Self {
        Self {
            endpoint: format!("{}/", access.endpoint),
            scope: format!("aws:amz:{}:ec2", access.region),
            user: format!("{}:{}", access.access_key, access.secret_key),
        }
    }

    /// Calls once and reads the answer.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<T, Error> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", WITHIN])
            .args(["--aws-sigv4", &self.scope, "--user", &self.user]);
        for (name, value) in [("Action", action), ("Version", VERSION)]
            .iter()
            .chain(parameters)
        {
            curl.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        let output = curl
            .arg(&self.endpoint)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(Error::io("curl"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(Error::Unexpected(format!("ec2:{action}: {complaint}")));
        }
        read(action, &String::from_utf8_lossy(&output.stdout))
    }
}

/// An answer, or the error that it is.
fn read<T: DeserializeOwned>(action: &str, answer: &str) -> Result<T, Error> {
    if let Ok(refusal) = quick_xml::de::from_str::<Refusal>(answer) {
        let error = refusal.errors.error;
        return Err(Error::Unexpected(format!(
            "ec2:{action}: {}: {}",
            error.code, error.message
        )));
    }
    quick_xml::de::from_str(answer)
        .map_err(|error| Error::Unexpected(format!("ec2:{action}: {error} in {answer}")))
}

#[cfg(test)]
mod tests {
    use super::{
        super::shapes::{Done, Images},
        *,
    };

    #[test]
    fn images_with_their_snapshots_and_tags() {
        let answer = r#"<?xml version="1.0"?>
<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>r</requestId>
  <imagesSet>
    <item>
      <imageId>ami-1</imageId><imageState>available</imageState>
      <blockDeviceMapping>
        <item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId></ebs></item>
        <item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item>
        <item><deviceName>/dev/sdf</deviceName><ebs><volumeSize>8</volumeSize></ebs></item>
      </blockDeviceMapping>
      <tagSet><item><key>Team</key><value>orders</value></item></tagSet>
    </item>
    <item><imageId>ami-2</imageId><imageState>pending</imageState></item>
  </imagesSet>
</DescribeImagesResponse>"#;
        let images: Images = read("DescribeImages", answer).expect("readable");
        let [first, second] = &images.images_set.item[..] else {
            panic!("two images: {images:?}");
        };
        assert_eq!(first.snapshots().collect::<Vec<_>>(), ["snap-1"]);
        assert_eq!(first.tag("Team"), Some("orders"));
        assert_eq!((second.id.as_str(), second.tag("Team")), ("ami-2", None));
    }

    #[test]
    fn an_empty_list() {
        let answer = "<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>";
        let images: Images = read("DescribeImages", answer).expect("readable");
        assert!(images.images_set.item.is_empty());
    }

    #[test]
    fn a_refusal_is_an_error_with_its_code() {
        let answer = "<Response><Errors><Error><Code>UnauthorizedOperation</Code>\
                      <Message>No.</Message></Error></Errors><RequestID>r</RequestID></Response>";
        let error = read::<Done>("DeleteTags", answer).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "ec2:DeleteTags: UnauthorizedOperation: No."
        );
    }
}
