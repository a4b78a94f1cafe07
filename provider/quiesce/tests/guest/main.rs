//! The guest scripts on real guests: real file systems, real servers, every test in namespaces of its own.
//!
//! Needs root. `GUEST_FLAVOUR=busybox` (or `bash`) runs the same tests on another flavour of guest.

mod cluster;
mod container;
mod containers;
mod custom;
mod deliveries;
mod documents;
mod functions;
mod hold;
mod kill;
mod lint;
mod look;
mod machine;
mod mysql;
mod observer;
mod probe;
mod redis;
mod scene;
mod session;
mod several;
mod store;
