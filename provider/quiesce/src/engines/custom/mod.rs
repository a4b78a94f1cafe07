//! Whatever the user knows how to hold: paths that our hold covers, and commands of the user's own around it.

use super::{Engine, EngineOption, OptionKind, Recipe, Statement, application};

pub(super) const CUSTOM: Engine = Engine {
    name: "custom",
    title: "Custom",
    docs: "Anything that keeps files, by commands of your own: `freeze` runs before the paths are held, `thaw` after they are let \
           go, whatever happens in between. Without any command the paths are held in one cut.",
    page: include_str!("page.md"),
    processes: &[],
    statements: &[Statement {
        script: "hold, release",
        text: "/bin/sh -c \"$1\"",
        purpose: "`freeze` and `check` in `hold`; `check` and `thaw` in `release`, `thaw` also by the dead-man's switch.",
    }],
    options: &[
        application::PATHS_OPTION,
        EngineOption {
            name: "freeze",
            kind: OptionKind::Shell {
                needs: Some("thaw"),
            },
            docs: "Shell text that makes the application hold its writes, run as root with `/bin/sh` before anything else is held. \
                   Code 0 means that it holds them. Not a place for secrets.",
        },
        EngineOption {
            name: "thaw",
            kind: OptionKind::Shell { needs: None },
            docs: "Shell text that lets them go on. It may run more than once, and where `freeze` failed or was killed half way.",
        },
        EngineOption {
            name: "check",
            kind: OptionKind::Shell { needs: None },
            docs: "Shell text that says by code 0 whether the application still holds its writes: asked after `freeze`, and again \
                   right before `thaw`.",
        },
        EngineOption {
            name: "command_timeout",
            kind: OptionKind::Seconds,
            docs: "How long each command may take, in seconds. Default: 10.",
        },
        application::SERVICE_OPTION,
    ],
    recipe: Recipe::Bracket {
        functions: &[
            application::COMMANDS,
            application::FIND,
            include_str!("guest.sh"),
        ],
        checks: &[],
        stop: &[application::STOP, include_str!("stop.sh")],
        hold: &[],
        let_go: &[application::COMMANDS, include_str!("verify.sh")],
    },
};
