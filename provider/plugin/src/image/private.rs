//! What the provider remembers beside the state, where no attribute shows it.

/// The session of a run that could not clean up after itself.
pub(super) const LEFT_SESSION: &str = "left_session";

/// The image that a create, if this plan becomes one, takes the place of: its name will be free by then.
pub(super) const REPLACES: &str = "replaces";

/// True for an import of an image that does not tell how it was configured.
pub(super) const INPUTS_UNKNOWN: &str = "inputs_unknown";
