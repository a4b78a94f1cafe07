//! `terraform-provider-consistent doctor`: shows what holds a server's writes now and what dead runs left, and removes the latter.

mod arguments;
mod clean;
mod findings;
mod words;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use consistent_aws::{
    config::{Clients, ConfigError},
    ec2::{self, Ec2Imager},
    ssm::{self, SsmGuest},
};
use tfplug::CancellationToken;

use self::{arguments::Arguments, findings::Findings};
use crate::provider;

/// The subcommand's word.
pub(crate) const NAME: &str = "doctor";

/// Something could not be found out, or the command line is wrong.
const CANNOT_TELL: u8 = 1;
/// A hold, or something left behind.
const FOUND: u8 = 2;

/// Who is asked, about which instance.
struct Ward {
    instance: String,
    region: String,
    ec2: ec2::Client,
    ssm: ssm::Client,
    stop: CancellationToken,
}

impl Ward {
    async fn reach(arguments: &Arguments, clients: &Clients) -> Result<Self, ConfigError> {
        Ok(Self {
            instance: arguments.instance.clone(),
            region: clients.region().await?,
            ec2: clients.ec2().await?.clone(),
            ssm: clients.ssm().await?.clone(),
            stop: CancellationToken::new(),
        })
    }

    fn guest(&self) -> SsmGuest {
        SsmGuest::new(self.ssm.clone(), &self.instance)
    }

    fn imager(&self) -> Ec2Imager {
        Ec2Imager::new(&self.ec2, &self.instance)
    }
}

/// Reads the command line behind the binary's name; returns the exit code that docs/guides/doctor.md lists.
pub(crate) async fn run() -> ExitCode {
    // The word itself stands where a program's name does.
    let arguments = match Arguments::try_parse_from(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(told) => {
            let _ = told.print();
            // Clap would exit with what means "found" here.
            return ExitCode::from(if told.use_stderr() { CANNOT_TELL } else { 0 });
        }
    };
    match examine(&arguments).await {
        Ok(findings) => {
            let text = if arguments.json {
                findings.json()
            } else {
                words::told(&findings)
            };
            // A reader that is gone changes nothing in what was found.
            let _ = writeln!(io::stdout(), "{}", text.trim_end());
            ExitCode::from(verdict(&findings))
        }
        Err(why) => {
            let _ = writeln!(io::stderr(), "cannot tell: {why}");
            ExitCode::from(CANNOT_TELL)
        }
    }
}

async fn examine(arguments: &Arguments) -> Result<Findings, String> {
    let clients = provider::clients_of(
        arguments.region.clone(),
        arguments.profile.clone(),
        arguments.endpoints(),
    )
    .map_err(|problem| problem.detail)?;
    let ward = Ward::reach(arguments, &clients)
        .await
        .map_err(|error| match error {
            ConfigError::NoRegion => {
                "no AWS region: give --region, set AWS_REGION, or `region` in the profile"
                    .to_owned()
            }
            other => other.to_string(),
        })?;
    let found = findings::of(&ward).await;
    if !arguments.clean {
        return Ok(found);
    }
    let done = clean::clean(&ward, &found, arguments.session.as_ref()).await;
    // Looked at anew: what was done is not what is left.
    let mut left = findings::of(&ward).await;
    left.done = done;
    Ok(left)
}

/// What was found counts more than what could not be asked.
fn verdict(findings: &Findings) -> u8 {
    if findings.is_something_there() {
        FOUND
    } else if findings.is_uncertain() {
        CANNOT_TELL
    } else {
        0
    }
}
