//! Work that has to finish whatever happens to the call that began it.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Starts tasks that outlive their call: the process exits, and answers go-plugin's Shutdown, only when all are done.
///
/// Terraform drops a call when it is killed, and kills a provider two seconds after it said that it is done. A
/// task started here sees neither; it learns of Stop through the token it was given, and decides itself how to end.
/// A tokio task survives the panic of the one that started it, too.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
}

impl Tasks {
    /// Runs `work` to its end. Dropping the handle leaves the work running.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.tracker.spawn(work)
    }

    /// How many are running.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Resolves once nothing is running, what was started meanwhile included.
    pub(crate) async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn waits_for_work_whose_handle_was_dropped() {
        let tasks = Tasks::default();
        let (done, mut seen) = tokio::sync::oneshot::channel();
        drop(tasks.spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = done.send(());
        }));
        assert_eq!(tasks.running(), 1);
        tasks.finished().await;
        assert!(seen.try_recv().is_ok());
    }

    #[tokio::test]
    async fn waits_for_work_started_by_work() {
        let tasks = Tasks::default();
        let inner = tasks.clone();
        let (done, mut seen) = tokio::sync::oneshot::channel();
        tasks.spawn(async move {
            tokio::task::yield_now().await;
            inner.spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let _ = done.send(());
            });
        });
        tasks.finished().await;
        assert!(seen.try_recv().is_ok());
    }
}
