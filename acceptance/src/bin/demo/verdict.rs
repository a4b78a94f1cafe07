//! Both images side by side, in a table.

use acceptance::judge::{Examination, Judgement};

type Answer = fn(&Judgement) -> String;

/// One line a question, one column an image.
pub(super) fn table(plain: &Judgement, proven: &Judgement) -> String {
    let questions: [(&str, Answer); 5] = [
        ("does it start by itself?", started),
        ("pg_amcheck, all tables and indexes", |image| {
            of(image, findings)
        }),
        ("pgbench's four sums", |image| of(image, sums)),
        ("commits acknowledged before", |image| of(image, commits)),
        ("all in all", all_in_all),
    ];
    let mut table = line("", "plain image", "proven image");
    for (question, answer) in questions {
        table.push_str(&line(question, &answer(plain), &answer(proven)));
    }
    table
}

fn line(question: &str, plain: &str, proven: &str) -> String {
    format!("{question:<34}  {plain:<46}  {proven}\n")
}

fn all_in_all(judgement: &Judgement) -> String {
    let clean = judgement.flaws().is_empty();
    if clean { "clean" } else { "damaged" }.into()
}

fn started(judgement: &Judgement) -> String {
    match judgement {
        Judgement::DoesNotStart(reason) => format!("no: {reason}"),
        Judgement::Started(examination) => {
            format!("yes, in {:.1} s", examination.ready_after.as_secs_f64())
        }
    }
}

fn of(judgement: &Judgement, answer: fn(&Examination) -> String) -> String {
    match judgement {
        Judgement::DoesNotStart(_) => "-".into(),
        Judgement::Started(examination) => answer(examination),
    }
}

fn findings(examination: &Examination) -> String {
    match &examination.findings {
        Ok(findings) => format!("{} errors", findings.count),
        Err(error) => format!("fails: {error}"),
    }
}

fn sums(examination: &Examination) -> String {
    match &examination.sums {
        Ok(sums) if sums.agree() => "agree".into(),
        Ok(_) => "disagree".into(),
        Err(error) => format!("cannot be read: {error}"),
    }
}

fn commits(examination: &Examination) -> String {
    match &examination.commits {
        Ok(commits) => {
            let present = commits.promised - commits.lost.len();
            format!("{present} of {} are there", commits.promised)
        }
        Err(error) => format!("cannot be read: {error}"),
    }
}
