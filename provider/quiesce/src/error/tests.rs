use time::macros::datetime;

use super::*;

fn failure(cause: Cause, broken: Vec<Link>, database: Database, image: ImageFate) -> Failure {
    let started_at = datetime!(2026-11-22 03:00 UTC);
    Failure {
        step: Step::Capture,
        cause,
        broken,
        database,
        image,
        attempts: 1,
        session: "00112233445566778899aabbccddeeff"
            .parse()
            .expect("a session id"),
        timeline: Timeline {
            started_at,
            marks: Vec::new(),
        },
    }
}

#[test]
fn a_failure_tells_cause_database_and_image() {
    let missing = vec![VolumeId("vol-0b".into())];
    let slow = failure(
        Cause::HoldBudget {
            waited_for: "the capture",
        },
        vec![Link::Captured { missing }],
        Database::Released,
        ImageFate::Discarded,
    );
    assert_eq!(
        slow.to_string(),
        "capture: the capture took longer than the hold may last (not seen captured while writes were held: vol-0b). \
         The database's writes are let go: the guest confirmed it. \
         The image and its snapshots are removed: nothing unproven is left."
    );
    assert_eq!(
        slow.advice(),
        "Apply again when the service is faster, or raise quiesce.max_hold_seconds."
    );
}

#[test]
fn what_is_left_and_what_is_unknown_is_said() {
    let left = Leftover {
        id: "ami-1".into(),
        reason: "denied".into(),
    };
    let lost = failure(
        Cause::Stopped,
        vec![Link::Released],
        Database::LetsGoBy(datetime!(2026-11-22 03:01:05 UTC)),
        ImageFate::Left {
            known: vec![left],
            error: None,
        },
    );
    assert_eq!(
        lost.to_string(),
        "capture: stopped on request (the guest never answered that the hold was unbroken). \
         The guest did not confirm that it let the database's writes go; its own switch lets go by \
         2026-11-22 03:01:05 UTC at the latest. \
         The unproven image could not be removed. Left behind: ami-1 (denied)."
    );
    assert_eq!(
        lost.advice(),
        "Check that the database accepts writes. What is left carries the tag consistent:session = \
         00112233445566778899aabbccddeeff; the next apply of the same image name removes it."
    );
}
