//! Valkey 7.2 and later. It came from Redis and is asked by the same words.

use super::{Engine, Recipe, redis};

pub(super) const VALKEY: Engine = Engine {
    name: "valkey",
    title: "Valkey",
    docs: "A Valkey server with an append-only file or save points, primary or replica. Its clients' writes pause, what it \
           has acknowledged is on disk, then all is held; the image loads it as after a restart.",
    page: include_str!("../redis/page.md"),
    processes: &["valkey-server"],
    statements: redis::STATEMENTS,
    options: redis::OPTIONS,
    recipe: Recipe::Bracket {
        functions: &[
            redis::FUNCTIONS[0],
            redis::FUNCTIONS[1],
            redis::FUNCTIONS[2],
            include_str!("guest.sh"),
        ],
        checks: &[],
        stop: redis::STOP,
        hold: &[redis::HOLD[0], include_str!("pausing.sh")],
        let_go: redis::LET_GO,
    },
};
