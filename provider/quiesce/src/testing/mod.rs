//! A guest and a service in memory, with every fault that a test can think of, under simulated time.

pub mod faults;
pub mod guest;
pub mod imager;
pub mod scene;
pub mod trial;

#[cfg(test)]
mod matrix;

use crate::ports::Reply;

/// What SSM brings when a script printed `stdout` and ended well.
pub fn reply(stdout: &str) -> Reply {
    Reply {
        command_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        status: "Success".to_owned(),
        exit_code: Some(0),
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}
