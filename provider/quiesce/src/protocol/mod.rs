//! The proof as states that consume themselves. Each file holds the step that leads out of one state (the way from probed
//! to armed has `arm` and `order` to itself):
//!
//! [`Probed`](probe::Probed) -> [`Armed`](hold::Armed) -> [`Held`](capture::Held) ->
//! [`Captured`](release::Captured) -> [`Released`](settle::Released) -> [`Settled`](seal::Settled) -> sealed.
//!
//! A state can only be had from the one before it, so a proof cannot exist unless every link was made in order. From
//! the moment at which the guest may be armed, the [`Attempt`] owes a release, and from the moment at which a capture may
//! begin, a discard; whatever ends an attempt early, [`undo`] pays what is owed.
//!
//! A check of the settled image (`verify`) would be one more state between `Settled` and sealed; a set of servers would
//! drive several attempts from state to state together.

pub(crate) mod arm;
pub(crate) mod attempt;
pub(crate) mod capture;
pub(crate) mod hold;
pub(crate) mod observed;
pub(crate) mod order;
pub(crate) mod probe;
pub(crate) mod release;
pub(crate) mod seal;
pub(crate) mod settle;
pub(crate) mod undo;

#[cfg(test)]
mod tests;
