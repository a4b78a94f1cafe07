//! `--clean`: lets go and removes what provably belongs to dead runs, or to the one session that was named.

use consistent_aws::ec2::remains;
use quiesce::{holds, holds::Fate, leftovers, session::SessionId, text::Text};

use super::{
    Ward,
    findings::{Findings, Hold, Pending},
};

/// Why something is left alone.
const ALIVE: &str = "its run may be alive";

/// What was done, and what was left alone, line by line: the server's writes first.
pub(super) async fn clean(ward: &Ward, found: &Findings, named: Option<&SessionId>) -> Vec<Text> {
    let mut lines = Vec::new();
    for hold in &found.server.sessions {
        let line = match objection_to_release(hold, named) {
            Some(why) => format!("session {}: not let go: {why}", hold.session),
            None => release(ward, found, &hold.session).await,
        };
        lines.push(line);
    }
    for pending in &found.ec2.pending {
        let session = &pending.session;
        match objection_to_removal(pending, found, named) {
            Some(why) => lines.push(format!("session {session}: not removed: {why}")),
            None => lines.extend(remove(ward, pending).await),
        }
    }
    if let Some(session) = named
        && !is_known(found, session)
    {
        lines.push(format!("session {session}: nothing of it was found"));
    }
    lines.into_iter().map(Text::from).collect()
}

fn is_known(found: &Findings, session: &SessionId) -> bool {
    let on_server = found.server.sessions.iter().map(|it| &it.session);
    let in_ec2 = found.ec2.pending.iter().map(|it| &it.session);
    on_server.chain(in_ec2).any(|id| id == session)
}

fn objection_to_release(hold: &Hold, named: Option<&SessionId>) -> Option<&'static str> {
    match (named, hold.fate) {
        (Some(named), _) if *named == hold.session => None,
        (Some(_), _) => Some("another session was named"),
        (None, Fate::Live) => Some(ALIVE),
        (None, Fate::Overdue | Fate::Dead) => None,
    }
}

fn objection_to_removal(
    pending: &Pending,
    found: &Findings,
    named: Option<&SessionId>,
) -> Option<&'static str> {
    let holds = |it: &&Hold| it.session == pending.session && it.fate == Fate::Live;
    match named {
        Some(named) if *named == pending.session => None,
        Some(_) => Some("another session was named"),
        None if !pending.expired => Some("it has not expired, its run may be alive"),
        None if found.server.sessions.iter().find(holds).is_some() => Some(ALIVE),
        None => None,
    }
}

async fn release(ward: &Ward, found: &Findings, session: &SessionId) -> String {
    let Some(boot) = &found.server.boot else {
        return format!("session {session}: not let go: the server could not be asked");
    };
    match holds::let_go(&ward.guest(), session, boot, &ward.stop).await {
        Ok(report) if report.released() => format!("session {session}: let go"),
        Ok(_) => format!("session {session}: something is still held; look at the server"),
        Err(cause) => format!("session {session}: perhaps not let go: {cause}"),
    }
}

async fn remove(ward: &Ward, pending: &Pending) -> Vec<String> {
    let session = &pending.session;
    let failed = |why: String| vec![format!("session {session}: not removed: {why}")];
    match remains::are_all_of(&ward.ec2, session, &ward.instance).await {
        Ok(true) => {}
        Ok(false) => return failed("something of another instance bears it too".to_owned()),
        Err(error) => return failed(error.to_string()),
    }
    let left = match leftovers::discard(&ward.imager(), session, &ward.stop).await {
        Ok(left) => left,
        Err(cause) => return failed(cause.to_string()),
    };
    let is_left = |id: &str| left.iter().any(|it| it.id == id);
    let gone = pending.parts.iter().filter(|part| !is_left(&part.id));
    let removed = gone.map(|part| format!("{}: removed", &*part.id));
    let stays = left
        .iter()
        .map(|it| format!("{}: still there: {}", it.id, it.reason));
    removed.chain(stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::findings::{self, Part, Remains, Server};

    fn hold(session: &SessionId, fate: Fate) -> Hold {
        Hold {
            session: session.clone(),
            fate,
            method: Some("freeze"),
            held_for_ms: Some(1_000),
            ends_in_ms: Some(1_000),
            switches: 2,
            letting_go: false,
            mounts: Vec::new(),
            paused_processes: 0,
            stops_services: false,
            engine_locks: false,
        }
    }

    fn pending(session: &SessionId, expired: bool) -> Pending {
        Pending {
            session: session.clone(),
            image_name: "orders".into(),
            expires: String::new(),
            expired,
            parts: vec![Part {
                id: "ami-1".into(),
                state: "pending".into(),
                age_seconds: None,
            }],
        }
    }

    fn found(sessions: Vec<Hold>) -> Findings {
        Findings {
            instance: "i-1".into(),
            region: "eu-central-1".into(),
            state: "running".into(),
            server: Server {
                sessions,
                ..Server::default()
            },
            ec2: Remains::default(),
            uncertain: Vec::new(),
            done: Vec::new(),
        }
    }

    #[test]
    fn a_hold_is_let_go_when_its_run_is_dead_or_it_was_named() {
        let [it, other] = [SessionId::random(), SessionId::random()];
        assert!(objection_to_release(&hold(&it, Fate::Live), None).is_some());
        for fate in [Fate::Overdue, Fate::Dead] {
            assert_eq!(objection_to_release(&hold(&it, fate), None), None);
            assert!(objection_to_release(&hold(&it, fate), Some(&other)).is_some());
        }
        assert_eq!(
            objection_to_release(&hold(&it, Fate::Live), Some(&it)),
            None
        );
    }

    #[test]
    fn an_image_is_removed_when_it_has_expired_or_was_named() {
        let [it, other] = [SessionId::random(), SessionId::random()];
        let quiet = found(Vec::new());
        assert_eq!(
            objection_to_removal(&pending(&it, true), &quiet, None),
            None
        );
        assert!(objection_to_removal(&pending(&it, false), &quiet, None).is_some());
        assert!(objection_to_removal(&pending(&it, true), &quiet, Some(&other)).is_some());
        assert_eq!(
            objection_to_removal(&pending(&it, false), &quiet, Some(&it)),
            None
        );
        let at_work = found(vec![hold(&it, Fate::Live)]);
        assert!(
            objection_to_removal(&pending(&it, true), &at_work, None).is_some(),
            "a clock is wrong"
        );
    }

    #[test]
    fn proven_images_are_nothing_that_was_left() {
        let mut quiet = found(Vec::new());
        quiet.ec2.proven_images = 3;
        assert_eq!(crate::doctor::verdict(&quiet), 0);
        quiet.uncertain.push("no answer".into());
        assert_eq!(crate::doctor::verdict(&quiet), 1);
        quiet.ec2.pending.push(pending(&SessionId::random(), false));
        assert_eq!(crate::doctor::verdict(&quiet), 2);
        let json: serde_json::Value =
            serde_json::from_str(&findings::Findings::json(&quiet)).expect("JSON");
        assert_eq!(json["ec2"]["pending"][0]["parts"][0]["id"], "ami-1");
    }
}
