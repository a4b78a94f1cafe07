//! The generated messages and services: the only place where protobuf names meet Rust's.
#![allow(clippy::pedantic, unreachable_pub, missing_docs)]

tonic::include_proto!("tfplugin6");

/// What go-plugin wants beside the provider itself.
pub(crate) mod go_plugin {
    tonic::include_proto!("plugin");
}

/// gRPC health checking.
pub(crate) mod health {
    tonic::include_proto!("grpc.health.v1");
}
