//! What every call is given: the configured client, the stop signal, room for warnings and private state.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::{Diagnostic, Diagnostics, Result, private::Private, tasks::Tasks};

/// The surroundings of one call. `C` is what `Provider::configure` returned.
#[derive(Debug)]
pub struct Context<C> {
    client: Option<Arc<C>>,
    stop: CancellationToken,
    tasks: Tasks,
    private: Private,
    terraform_version: Option<String>,
    warnings: Mutex<Diagnostics>,
}

impl<C> Context<C> {
    /// For a provider's own tests; the server makes the real ones.
    pub fn new(client: Option<Arc<C>>, stop: CancellationToken, tasks: Tasks) -> Self {
        Self {
            client,
            stop,
            tasks,
            private: Private::default(),
            terraform_version: None,
            warnings: Mutex::default(),
        }
    }

    #[must_use]
    pub(crate) fn with_private(mut self, private: Private) -> Self {
        self.private = private;
        self
    }

    #[must_use]
    pub(crate) fn with_terraform_version(mut self, version: Option<String>) -> Self {
        self.terraform_version = version;
        self
    }

    /// Of the Terraform that configures the provider, e.g. `1.11.4`: `None` in all other calls.
    pub fn terraform_version(&self) -> Option<&str> {
        self.terraform_version.as_deref()
    }

    /// The configured client. An error where the provider's configuration is not known yet.
    pub fn client(&self) -> Result<Arc<C>> {
        self.configured().cloned().ok_or_else(|| {
            Diagnostic::error(
                "Provider not configured",
                "The provider's configuration depends on values that are only known after apply. Apply what they \
                 depend on first (terraform apply -target=...), or set them directly.",
            )
            .into()
        })
    }

    /// The configured client, or `None` while validating and where the configuration is not known yet.
    pub fn configured(&self) -> Option<&Arc<C>> {
        self.client.as_ref()
    }

    /// Cancelled when the user pressed Ctrl-C, and when Terraform is gone: come to an end, leave nothing half done.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// For work that must finish even if this call is dropped.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Private state, as it was read; what stands here at the end of the call is stored.
    pub fn private(&self) -> &Private {
        &self.private
    }

    /// Tells the user something beside the call's result.
    pub fn warn(&self, warning: Diagnostic) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.push(warning);
    }

    /// The warnings so far, taken.
    pub fn take_warnings(&self) -> Diagnostics {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *warnings)
    }
}
