//! The whole lab: AWS's APIs on top of real volumes, real machines and a real database. Needs root, and what
//! `acceptance/install.sh` installs.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod program;
mod server;
