//! boto3 and the AWS CLI against the lab on paper: do AWS's own clients understand every answer, and do they find
//! in it what the lab means? The models they check against are botocore's, not ours.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    guest::GuestAgent,
    support::{python, two_volumes},
};
use lab::cloud::{iam::User, journal::Event};

const WITHIN: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn every_action_answers_what_botocore_knows() {
    let dir = tempfile::tempdir().unwrap();
    let (lab, instance) = two_volumes(dir.path()).await;
    let _agent = GuestAgent::start(dir.path(), &instance, &dir.path().join("guest"));
    lab.ready(&instance, WITHIN).await.unwrap();
    python(&lab, User::Operator, "every_action.py", &[&instance]).await;
    let called: BTreeSet<String> = lab
        .journal()
        .entries()
        .unwrap()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::Call {
                action, outcome, ..
            } if outcome == "ok" => Some(action),
            _ => None,
        })
        .collect();
    let all: BTreeSet<String> = lab::cloud::actions().collect();
    assert_eq!(called, all, "every action, and no other, was tried");
}
