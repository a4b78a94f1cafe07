//! What a plan can know about a create, by reading alone: that the server is there, reachable, and the name free.

use consistent_aws::{
    CallError,
    config::Clients,
    ec2::{
        images::{self, Image},
        instances::{self, Facts},
        tags,
    },
    ssm::agent::{self, Agent},
};
use quiesce::capture::CaptureCall;
use tfplug::{Diagnostic, Diagnostics};

use super::{capture, documents, model::ImageModel, young};
use crate::diagnose;

/// Everything that stands in the way of creating `planned` in place of `replaced`, as far as it is known yet.
pub(super) async fn problems(
    clients: &Clients,
    planned: &ImageModel,
    replaced: Option<&str>,
) -> Diagnostics {
    let (server, name, document) = tokio::join!(
        async {
            match planned.source_instance_id.known() {
                Some(id) => Box::pin(server_problems(clients, id, planned)).await,
                None => Ok(Vec::new()),
            }
        },
        async {
            match planned.name.known() {
                Some(name) => Box::pin(name_problem(clients, name, replaced)).await,
                None => Ok(None),
            }
        },
        document_problem(clients, planned),
    );
    let mut problems = server.unwrap_or_else(|error| vec![error]);
    problems.extend(name.unwrap_or_else(Some));
    problems.extend(document);
    // What keeps us from asking is the same for all questions, more often than not.
    problems.dedup();
    problems.into_iter().collect()
}

async fn server_problems(
    clients: &Clients,
    id: &str,
    planned: &ImageModel,
) -> Result<Vec<Diagnostic>, Diagnostic> {
    let ec2 = clients.ec2().await.map_err(diagnose::config)?;
    let ssm = clients.ssm().await.map_err(diagnose::config)?;
    let (instance, agent) = tokio::join!(instances::describe(ec2, id), agent::status(ssm, id));
    let lost = instance.as_ref().map_or(Vec::new(), |it| lost(it, planned));
    let problems = match instance {
        Err(error) => vec![no_instance(error)],
        // The apply waits for it.
        Ok(facts) if young::is_awaited(&facts, &agent) => unfit(&facts),
        // Of an instance that does not run, the agent is silent as well.
        Ok(facts) if facts.instance.state != "running" => vec![not_running(&facts)],
        Ok(facts) => unfit(&facts).into_iter().chain(silent(id, agent)).collect(),
    };
    Ok(problems
        .into_iter()
        .map(|problem| problem.at("source_instance_id"))
        .chain(lost)
        .collect())
}

/// The document that is to be run is looked at as soon as all is known that names it.
async fn document_problem(clients: &Clients, planned: &ImageModel) -> Option<Diagnostic> {
    let engines = planned.engines.chosen().ok()?;
    documents::resolved(clients, engines).await.err()
}

async fn name_problem(
    clients: &Clients,
    name: &str,
    replaced: Option<&str>,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let ec2 = clients.ec2().await.map_err(diagnose::config)?;
    let holder = images::named(ec2, name).await.map_err(diagnose::call)?;
    // One of ours may be what this plan replaces, or what a dead run left: that is seen when it is applied.
    Ok(holder
        .filter(|image| !is_ours(image) && Some(image.id.as_str()) != replaced)
        .map(|image| taken(&image, replaced)))
}

/// True for an image that this provider made, proven or not.
pub(crate) fn is_ours(image: &Image) -> bool {
    image.tags.contains_key(tags::SESSION)
}

/// The name belongs to another image, perhaps to the very one that is to be `replaced`.
pub(super) fn taken(image: &Image, replaced: Option<&str>) -> Diagnostic {
    let (id, name) = (&image.id, &image.name);
    let advice = if replaced == Some(id) {
        "It is the image to be replaced, which create_before_destroy keeps until the new one is there: let `name` differ, or \
         use `name_prefix`."
    } else {
        "Choose another name, or remove that image first."
    };
    let detail = format!("Image {id} of this account and region bears the name {name:?}. {advice}");
    Diagnostic::error("The image's name is taken", detail).at("name")
}

pub(crate) fn no_instance(error: CallError) -> Diagnostic {
    if error.code.starts_with("InvalidInstanceID") {
        return Diagnostic::error(
            "The instance does not exist",
            diagnose::sentence(&error.message),
        );
    }
    diagnose::call(error)
}

fn not_running(facts: &Facts) -> Diagnostic {
    let (id, state) = (&facts.instance.id, &facts.instance.state);
    let hint = match state.as_str() {
        "stopped" => {
            "Start it. Of a stopped instance an ordinary image (aws_ami_from_instance) is consistent."
        }
        _ => "It has to run: its writes are held while the image is taken.",
    };
    Diagnostic::error(
        "The instance is not running",
        format!("Instance {id} is {state}. {hint}"),
    )
}

/// What keeps a running instance from being captured.
fn unfit(facts: &Facts) -> Vec<Diagnostic> {
    let id = &facts.instance.id;
    let not_ebs = (!facts.ebs_backed).then(|| {
        let detail = format!("The root device of {id} is an instance store: EC2 makes images of EBS-backed instances only.");
        Diagnostic::error("The instance is not EBS-backed", detail)
    });
    let windows = facts.is_windows.then(|| {
        let detail = format!("{id} runs Windows; writes can be held on Linux only.");
        Diagnostic::error("The instance runs Windows", detail)
    });
    not_ebs.into_iter().chain(windows).collect()
}

/// What an image of the instance would lack, captured as planned.
fn lost(facts: &Facts, planned: &ImageModel) -> Vec<Diagnostic> {
    let word = planned.capture.known().map(String::as_str);
    if word.map(capture::call) != Some(CaptureCall::CreateSnapshots) {
        return Vec::new();
    }
    let told = facts.instance.lost_by_registering.iter().map(|lost| {
        let detail = format!(
            "{} Set `capture = \"create_image\"`, which keeps it.",
            diagnose::sentence(lost)
        );
        Diagnostic::error("The image would lose its billing", detail).at("capture")
    });
    told.collect()
}

/// What keeps the instance from being asked to hold its writes.
fn silent(id: &str, agent: Result<Agent, CallError>) -> Option<Diagnostic> {
    let detail = match agent {
        Ok(agent) => agent.problem(id)?,
        Err(error) if error.code == "InvalidInstanceId" => error.message,
        Err(error) => return Some(diagnose::call(error)),
    };
    Some(Diagnostic::error(
        "The instance's SSM agent is not online",
        diagnose::sentence(&detail),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::fixtures, tags::TagPolicy, testing::Aws};

    async fn told(aws: Aws) -> Vec<(String, String)> {
        let client = aws.client(TagPolicy::default());
        let problems = problems(&client.clients, &fixtures::planned(), None).await;
        let told = problems.into_iter().map(|it| {
            (
                it.path.to_string(),
                format!("{}: {}", it.summary, it.detail),
            )
        });
        told.collect()
    }

    fn aws(instance: &str, agent: &str, images: &str) -> Aws {
        let aws = Aws::default().on("DescribeInstances", instance);
        let aws = aws.on("DescribeInstanceInformation", agent);
        aws.on("DescribeImages", images)
    }

    fn running() -> String {
        fixtures::instance("running", "ebs", "")
    }

    #[tokio::test]
    async fn a_running_reachable_server_and_a_free_name_are_no_problem() {
        let told = told(aws(
            &running(),
            &fixtures::agent("Online"),
            fixtures::NO_IMAGES,
        ))
        .await;
        assert_eq!(told, []);
    }

    #[tokio::test]
    async fn an_instance_that_does_not_exist_is_the_only_thing_said_of_it() {
        let aws = Aws::default()
            .refusing(
                "DescribeInstances",
                "InvalidInstanceID.NotFound",
                "The instance ID 'i-0' does not exist",
            )
            .on(
                "DescribeInstanceInformation",
                r#"{"InstanceInformationList": []}"#,
            )
            .on("DescribeImages", fixtures::NO_IMAGES);
        let told = told(aws).await;
        let [(path, text)] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(path, "source_instance_id");
        assert_eq!(
            text,
            "The instance does not exist: The instance ID 'i-0' does not exist. Check `source_instance_id`, and that region \
             and account are the instance's."
        );
    }

    #[tokio::test]
    async fn everything_wrong_is_said_at_once() {
        let windows = fixtures::instance("running", "instance-store", "windows");
        let told = told(aws(
            &windows,
            &fixtures::agent("ConnectionLost"),
            &fixtures::image("available", &[]),
        ))
        .await;
        let said: Vec<_> = told
            .iter()
            .map(|(path, text)| (path.as_str(), text.split(':').next().unwrap()))
            .collect();
        assert_eq!(
            said,
            [
                ("source_instance_id", "The instance is not EBS-backed"),
                ("source_instance_id", "The instance runs Windows"),
                (
                    "source_instance_id",
                    "The instance's SSM agent is not online"
                ),
                ("name", "The image's name is taken"),
            ]
        );
    }

    #[tokio::test]
    async fn billing_that_snapshots_may_lose_is_refused_where_they_are_captured() {
        let licence = "<platformDetails>SUSE Linux</platformDetails><usageOperation>RunInstances:000g</usageOperation>\
                       <rootDeviceType>";
        let instance = running().replace("<rootDeviceType>", licence);
        let aws = || aws(&instance, &fixtures::agent("Online"), fixtures::NO_IMAGES);
        assert_eq!(told(aws()).await, []);
        let client = aws().client(TagPolicy::default());
        let mut planned = fixtures::planned();
        planned.capture = "create_snapshots".into();
        let problems = problems(&client.clients, &planned, None).await;
        let [problem] = problems.iter().collect::<Vec<_>>()[..] else {
            panic!("{problems:?}")
        };
        assert_eq!(problem.path, "capture".into());
        assert!(
            problem.detail.contains("SUSE Linux (RunInstances:000g)"),
            "{problem:?}"
        );
    }

    #[tokio::test]
    async fn of_a_stopped_instance_the_agent_is_not_missed() {
        let stopped = fixtures::instance("stopped", "ebs", "");
        let told = told(aws(
            &stopped,
            r#"{"InstanceInformationList": []}"#,
            fixtures::NO_IMAGES,
        ))
        .await;
        let [(_, text)] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert!(text.starts_with(
            "The instance is not running: Instance i-0123456789abcdef0 is stopped. Start it."
        ));
    }

    #[tokio::test]
    async fn a_server_that_was_just_launched_is_left_to_the_apply() {
        let unknown = r#"{"InstanceInformationList": []}"#;
        for instance in [
            fixtures::young_instance(),
            fixtures::instance("pending", "ebs", ""),
        ] {
            let told = told(aws(&instance, unknown, fixtures::NO_IMAGES)).await;
            assert_eq!(told, []);
        }
    }

    #[tokio::test]
    async fn an_instance_without_an_agent_is_told_what_it_lacks() {
        let told = told(aws(
            &running(),
            r#"{"InstanceInformationList": []}"#,
            fixtures::NO_IMAGES,
        ))
        .await;
        let [(_, text)] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert!(text.contains("AmazonSSMManagedInstanceCore"), "{text}");
    }

    #[tokio::test]
    async fn a_name_that_one_of_ours_bears_is_left_to_the_apply() {
        let ours = fixtures::image("available", &fixtures::proof());
        let told = told(aws(&running(), &fixtures::agent("Online"), &ours)).await;
        assert_eq!(told, []);
    }

    #[tokio::test]
    async fn the_name_of_what_is_replaced_will_be_free() {
        let foreign = fixtures::image("available", &[]);
        let aws = aws(&running(), &fixtures::agent("Online"), &foreign);
        let client = aws.client(TagPolicy::default());
        let planned = fixtures::planned();
        let problems = problems(&client.clients, &planned, Some(fixtures::IMAGE)).await;
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[tokio::test]
    async fn what_is_not_known_yet_is_not_asked_for() {
        let aws = Aws::default();
        let client = aws.client(TagPolicy::default());
        let mut planned = fixtures::planned();
        (planned.name, planned.source_instance_id) =
            (tfplug::Value::Unknown, tfplug::Value::Unknown);
        assert!(problems(&client.clients, &planned, None).await.is_empty());
        assert!(aws.calls("DescribeImages").is_empty());
    }

    #[tokio::test]
    async fn the_account_is_looked_at_first_and_said_once() {
        let aws = Aws::default();
        let settings = consistent_aws::config::Settings {
            region: None,
            profile: Some("none-such".to_owned()),
            ..Default::default()
        };
        let clients = Clients::new(settings);
        let problems = problems(&clients, &fixtures::planned(), None).await;
        assert_eq!(problems.iter().count(), 1, "{problems:?}");
        assert!(aws.calls("DescribeInstances").is_empty());
    }
}
