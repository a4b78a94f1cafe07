//! The command line of `doctor`.

use clap::Parser;
use consistent_aws::config::Endpoints;
use quiesce::session::SessionId;

/// Shows what holds a server's writes now and what dead runs left behind, on the server and in EC2.
///
/// Credentials and region are looked up as for an empty provider block. Without --clean nothing is touched.
/// Exit codes: 0 nothing found (with --clean: nothing left), 1 something could not be found out, 2 something found (or left).
#[derive(Debug, Parser)]
#[command(name = "doctor", bin_name = "terraform-provider-consistent doctor")]
pub(super) struct Arguments {
    /// The instance, `i-...`
    #[arg(long, value_parser = instance_id)]
    pub(super) instance: String,
    /// Its region
    #[arg(long)]
    pub(super) region: Option<String>,
    /// A profile of the shared configuration and credentials files
    #[arg(long)]
    pub(super) profile: Option<String>,
    /// Let go and remove what belongs to dead runs: holds whose switches are gone or whose time is over, images and snapshots that
    /// are not proven and have expired
    #[arg(long)]
    pub(super) clean: bool,
    /// With --clean: let go and remove what belongs to this session, and nothing else, even if its run is still alive
    #[arg(long, requires = "clean")]
    pub(super) session: Option<SessionId>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// EC2's endpoint
    #[arg(long, value_name = "URL")]
    endpoint_url_ec2: Option<String>,
    /// The endpoint of Systems Manager
    #[arg(long, value_name = "URL")]
    endpoint_url_ssm: Option<String>,
    /// The endpoint of the Security Token Service
    #[arg(long, value_name = "URL")]
    endpoint_url_sts: Option<String>,
}

impl Arguments {
    pub(super) fn endpoints(&self) -> Endpoints {
        Endpoints {
            ec2: self.endpoint_url_ec2.clone(),
            ssm: self.endpoint_url_ssm.clone(),
            sts: self.endpoint_url_sts.clone(),
        }
    }
}

fn instance_id(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    let hex = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if hex && (8..=17).contains(&digits.len()) {
        Ok(text.to_owned())
    } else {
        Err("an instance id is i- and 8 to 17 hex digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn parsed(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["doctor", "--instance"], words].concat())
    }

    #[test]
    fn an_instance_is_needed_and_has_to_look_like_one() {
        assert!(parsed(&["i-0123456789abcdef0"]).is_ok());
        for wrong in [
            "",
            "i-",
            "i-xyz",
            "ami-0123456789abcdef0",
            "i-0123456789abcdef0*",
            "i-1234567",
        ] {
            assert!(parsed(&[wrong]).is_err(), "{wrong}");
        }
        assert!(Arguments::try_parse_from(["doctor"]).is_err());
    }

    #[test]
    fn a_session_is_named_only_to_be_cleaned() {
        let instance = "i-0123456789abcdef0";
        let cleaned = parsed(&[instance, "--clean", "--session", ID]).expect("a command line");
        assert_eq!(
            cleaned.session.map(|it| it.to_string()).as_deref(),
            Some(ID)
        );
        assert!(parsed(&[instance, "--session", ID]).is_err());
        assert!(parsed(&[instance, "--clean", "--session", "*"]).is_err());
    }
}
