//! The generated messages and services: the only place where protobuf names meet Rust's.
// Messages that only give a name to their Request and Response are never made.
#![allow(clippy::pedantic, dead_code, unreachable_pub)]

tonic::include_proto!("tfplugin6");

/// What go-plugin wants beside the provider itself.
pub(crate) mod go_plugin {
    tonic::include_proto!("plugin");
}

/// gRPC health checking.
pub(crate) mod health {
    tonic::include_proto!("grpc.health.v1");
}
