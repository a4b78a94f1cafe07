//! What Systems Manager shows of commands and of agents.

use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use super::commands::{Command, DOCUMENT, Invocation, InvocationStatus};
use crate::cloud::{
    call::{Answer, Call},
    clock::{epoch, iso},
    ec2::pages::Page,
    error::ApiError,
    iam::Access,
    lock,
    settings::ms,
};

/// How the plugin of the document is called.
const PLUGIN: &str = "aws:runShellScript";
/// Limit of stdout and stderr together in a listing, in characters (botocore, CommandPlugin.Output).
const LISTED_LIMIT: usize = 2_500;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetCommandInvocation {
    command_id: String,
    instance_id: String,
    plugin_name: Option<String>,
}

pub(super) fn invocation(call: &Call<'_>, request: &GetCommandInvocation) -> Answer {
    call.authorize(&[Access::new("ssm:GetCommandInvocation", "*")])?;
    if request
        .plugin_name
        .as_deref()
        .is_some_and(|name| name != PLUGIN)
    {
        return Err(ApiError::new("InvalidPluginName", ""));
    }
    let commands = lock(&call.cloud.ssm.commands);
    let command = commands.get(&request.command_id);
    let command = command.filter(|command| command.visible <= Instant::now());
    let found = command.and_then(|c| Some((c, c.invocations.get(&request.instance_id)?)));
    let (command, invocation) = found.ok_or_else(|| ApiError::new("InvocationDoesNotExist", ""))?;
    Ok(invoked(command, &request.instance_id, invocation))
}

fn invoked(command: &Command, instance: &str, invocation: &Invocation) -> Value {
    let (status, details) = invocation.status.shown();
    let mut shown = json!({
        "CommandId": command.id,
        "InstanceId": instance,
        "Comment": command.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "PluginName": PLUGIN,
        "ResponseCode": response_code(invocation),
        "ExecutionStartDateTime": "",
        "ExecutionElapsedTime": "",
        "ExecutionEndDateTime": "",
        "Status": status,
        "StatusDetails": details,
        "StandardOutputContent": "",
        "StandardOutputUrl": "",
        "StandardErrorContent": "",
        "StandardErrorUrl": "",
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false},
    });
    // Nothing of the output is shown before the end: there is no progress channel.
    if let Some(outcome) = &invocation.outcome {
        shown["ExecutionStartDateTime"] = json!(iso(at(outcome.started)));
        shown["ExecutionEndDateTime"] = json!(iso(at(outcome.ended)));
        shown["ExecutionElapsedTime"] = json!(format!("PT{:.3}S", outcome.ended - outcome.started));
        shown["StandardOutputContent"] = json!(outcome.stdout);
        shown["StandardErrorContent"] = json!(outcome.stderr);
    }
    shown
}

fn response_code(invocation: &Invocation) -> i32 {
    invocation.outcome.as_ref().map_or(-1, |o| o.exit_code)
}

fn at(seconds: f64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::seconds_f64(seconds)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListRequest {
    command_id: Option<String>,
    instance_id: Option<String>,
    #[serde(default)]
    details: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl ListRequest {
    fn selects(&self, command: &Command) -> bool {
        self.command_id.as_ref().is_none_or(|id| *id == command.id)
            && self
                .instance_id
                .as_ref()
                .is_none_or(|id| command.invocations.contains_key(id))
    }

    /// 1 to 50 results a page (botocore).
    fn page(&self) -> Result<Page, ApiError> {
        Page::new(self.max_results.unwrap_or(50), self.next_token.as_deref())
    }
}

pub(super) fn commands(call: &Call<'_>, request: &ListRequest) -> Answer {
    call.authorize(&[Access::new("ssm:ListCommands", "*")])?;
    let all = lock(&call.cloud.ssm.commands);
    let selected = all.values().filter(|c| request.selects(c));
    let (shown, token) = request.page()?.cut(selected.map(command).collect());
    Ok(without_null(json!({"Commands": shown, "NextToken": token})))
}

pub(super) fn command(command: &Command) -> Value {
    let count = |wanted: &[InvocationStatus]| {
        let invocations = command.invocations.values();
        invocations.filter(|i| wanted.contains(&i.status)).count()
    };
    let status = command
        .invocations
        .values()
        .map(|i| i.status)
        .find(|s| !s.is_final() || *s != InvocationStatus::Success)
        .unwrap_or(InvocationStatus::Success);
    let (status, details) = status.shown();
    let timeout = i64::try_from(command.timeout_seconds).unwrap_or(i64::MAX);
    json!({
        "CommandId": command.id,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "Comment": command.comment,
        "ExpiresAfter": epoch(command.requested + Duration::seconds(timeout)),
        "Parameters": command.parameters,
        "InstanceIds": command.invocations.keys().collect::<Vec<_>>(),
        "Targets": [],
        "RequestedDateTime": epoch(command.requested),
        "Status": status,
        "StatusDetails": details,
        "MaxConcurrency": "50",
        "MaxErrors": "0",
        "TargetCount": command.invocations.len(),
        "CompletedCount": command.invocations.values().filter(|i| i.status.is_final()).count(),
        "ErrorCount": count(&[InvocationStatus::Failed, InvocationStatus::ExecutionTimedOut]),
        "DeliveryTimedOutCount": count(&[InvocationStatus::DeliveryTimedOut]),
        "TimeoutSeconds": command.timeout_seconds,
    })
}

pub(super) fn invocations(call: &Call<'_>, request: &ListRequest) -> Answer {
    call.authorize(&[Access::new("ssm:ListCommandInvocations", "*")])?;
    let all = lock(&call.cloud.ssm.commands);
    let selected = all
        .values()
        .filter(|command| request.selects(command))
        .flat_map(|command| {
            command
                .invocations
                .iter()
                .map(move |(id, i)| (command, id, i))
        })
        .filter(|(_, id, _)| {
            request
                .instance_id
                .as_ref()
                .is_none_or(|wanted| wanted == *id)
        })
        .map(|(command, id, invocation)| listed(command, id, invocation, request.details));
    let (shown, token) = request.page()?.cut(selected.collect());
    Ok(without_null(
        json!({"CommandInvocations": shown, "NextToken": token}),
    ))
}

fn listed(command: &Command, instance: &str, invocation: &Invocation, details: bool) -> Value {
    let (status, status_details) = invocation.status.shown();
    let plugins: Vec<Value> = invocation
        .outcome
        .iter()
        .filter(|_| details)
        .map(|outcome| {
            let errors = (!outcome.stderr.is_empty())
                .then(|| format!("\n----------ERROR-------\n{}", outcome.stderr));
            let output = outcome.stdout.clone() + &errors.unwrap_or_default();
            json!({
                "Name": PLUGIN,
                "Status": status,
                "StatusDetails": status_details,
                "ResponseCode": outcome.exit_code,
                "ResponseStartDateTime": epoch(at(outcome.started)),
                "ResponseFinishDateTime": epoch(at(outcome.ended)),
                "Output": output.chars().take(LISTED_LIMIT).collect::<String>(),
            })
        })
        .collect();
    json!({
        "CommandId": command.id,
        "InstanceId": instance,
        "InstanceName": "",
        "Comment": command.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "RequestedDateTime": epoch(command.requested),
        "Status": status,
        "StatusDetails": status_details,
        "CommandPlugins": plugins,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DescribeInstanceInformation {
    #[serde(default)]
    filters: Vec<Filter>,
    #[serde(default)]
    instance_information_filter_list: Vec<OldFilter>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    key: String,
    values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OldFilter {
    key: String,
    value_set: Vec<String>,
}

impl From<OldFilter> for Filter {
    fn from(old: OldFilter) -> Self {
        Self {
            key: old.key,
            values: old.value_set,
        }
    }
}

pub(super) fn instances(call: &Call<'_>, request: DescribeInstanceInformation) -> Answer {
    call.authorize(&[Access::new("ssm:DescribeInstanceInformation", "*")])?;
    let old = request.instance_information_filter_list.into_iter();
    let filters: Vec<Filter> = request
        .filters
        .into_iter()
        .chain(old.map(Filter::from))
        .collect();
    let lost_after = ms(call.cloud.settings().commands.ping_lost_after_ms);
    let links = lock(&call.cloud.ssm.links);
    let mut shown: Vec<Value> = links
        .values()
        .filter_map(|link| link.information(lost_after))
        .collect();
    for filter in &filters {
        let member = match filter.key.as_str() {
            "InstanceIds" => "InstanceId",
            "PingStatus" => "PingStatus",
            "PlatformTypes" => "PlatformType",
            "ResourceType" => "ResourceType",
            _ => return Err(ApiError::new("InvalidInstanceInformationFilterValue", "")),
        };
        shown.retain(|info| filter.values.iter().any(|v| info[member] == v.as_str()));
    }
    shown.sort_by_key(|info| info["InstanceId"].to_string());
    let page = Page::new(
        request.max_results.unwrap_or(50),
        request.next_token.as_deref(),
    )?;
    let (shown, token) = page.cut(shown);
    Ok(without_null(
        json!({"InstanceInformationList": shown, "NextToken": token}),
    ))
}

/// The JSON protocol leaves absent members out.
fn without_null(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}
