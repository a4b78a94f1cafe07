//! `timeouts`: what each kind of work may take, and what is said once it is over.

use std::{future::Future, time::Duration};

use tfplug::{CancellationToken, Diagnostic, Result, Value};

use super::model::{ImageModel, Timeouts};
use crate::duration;

/// What takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Create,
    Update,
    Delete,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Where the configuration says nothing.
    fn default_limit(self) -> Duration {
        match self {
            Self::Create => Duration::from_hours(1),
            Self::Update => Duration::from_mins(10),
            Self::Delete => Duration::from_mins(30),
        }
    }

    fn told(self, timeouts: &Timeouts) -> &Value<String> {
        match self {
            Self::Create => &timeouts.create,
            Self::Update => &timeouts.update,
            Self::Delete => &timeouts.delete,
        }
    }

    /// How long it may take.
    pub(super) fn limit(self, model: &ImageModel) -> Result<Duration> {
        let told = model.timeouts.known().and_then(|it| self.told(it).known());
        told.map_or(Ok(self.default_limit()), |text| {
            duration::parse(text).map_err(|detail| {
                let path = tfplug::AttributePath::new("timeouts").attribute(self.name());
                Diagnostic::error("Invalid timeout", detail).at(path).into()
            })
        })
    }

    /// Does `work` within its limit and until a stop; else says why it did not come to its end.
    pub(super) async fn within_limit<T>(
        self,
        model: &ImageModel,
        stop: &CancellationToken,
        work: impl Future<Output = Result<T>>,
    ) -> Result<Result<T>, Unfinished> {
        let limit = match self.limit(model) {
            Ok(limit) => limit,
            Err(diagnostics) => return Ok(Err(diagnostics)),
        };
        tokio::select! {
            done = tokio::time::timeout(limit, work) => done.map_err(|_elapsed| {
                let (name, seconds) = (self.name(), limit.as_secs_f64());
                Unfinished(format!("timeouts.{name} ({seconds} s) is over"))
            }),
            () = stop.cancelled() => Err(Unfinished("it was stopped".to_owned())),
        }
    }
}

/// Why something did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfinished(pub(super) String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures;

    fn with_timeouts(timeouts: Timeouts) -> ImageModel {
        let mut model = fixtures::planned();
        model.timeouts = timeouts.into();
        model
    }

    #[test]
    fn each_kind_of_work_has_a_limit_of_its_own() {
        let model = with_timeouts(Timeouts {
            update: "90s".into(),
            ..Timeouts::default()
        });
        let limit = |work: Work| work.limit(&model).expect("a limit").as_secs();
        assert_eq!(
            [Work::Create, Work::Update, Work::Delete].map(limit),
            [3600, 90, 1800]
        );
    }

    #[tokio::test]
    async fn a_limit_is_kept() {
        let model = with_timeouts(Timeouts {
            update: "100ms".into(),
            ..Timeouts::default()
        });
        let began = tokio::time::Instant::now();
        let stop = CancellationToken::new();
        let forever = std::future::pending::<Result<()>>();
        let ended = Work::Update.within_limit(&model, &stop, forever).await;
        assert!((100..1_000).contains(&began.elapsed().as_millis()));
        assert_eq!(
            ended,
            Err(Unfinished("timeouts.update (0.1 s) is over".to_owned()))
        );
    }

    #[tokio::test]
    async fn a_stop_ends_it() {
        let stop = CancellationToken::new();
        stop.cancel();
        let forever = std::future::pending::<Result<()>>();
        let ended = Work::Delete
            .within_limit(&fixtures::planned(), &stop, forever)
            .await;
        assert_eq!(ended, Err(Unfinished("it was stopped".to_owned())));
    }
}
