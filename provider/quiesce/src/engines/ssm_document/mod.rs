//! Documents that people wrote for the pre and post scripts of Data Lifecycle Manager, run as they are around our own hold.

use super::{Engine, EngineOption, OptionKind, Recipe, Statement, application};

pub(super) const SSM_DOCUMENT: Engine = Engine {
    name: "ssm_document",
    title: "Systems Manager document",
    docs: "An application that a document of Systems Manager freezes and thaws, as it was written for the pre and post scripts of Amazon Data \
           Lifecycle Manager: pinned by its hash, and run around our own hold of the paths.",
    page: include_str!("page.md"),
    processes: &[],
    statements: &[Statement {
        script: "arm, hold, release",
        text: "/bin/sh -c \"$1\"",
        purpose: "The text of the document's `aws:runShellScript` step, by the interpreter of its first line: with `command` = `dry-run` in \
                  `arm`, `pre-script` in `hold`, and `post-script` in `release` or by the dead-man's switch.",
    }],
    options: &[
        EngineOption {
            name: "name",
            kind: OptionKind::Document,
            docs: "The document's name, or its ARN where another account shares it.",
        },
        EngineOption {
            name: "version",
            kind: OptionKind::DocumentVersion,
            docs: "A version's number, `$DEFAULT` or `$LATEST`, resolved to a number once an image is made. Default: `$DEFAULT`.",
        },
        EngineOption {
            name: "hash",
            kind: OptionKind::DocumentHash,
            docs: "The SHA-256 hash of that version (`aws ssm describe-document`, `aws_ssm_document.example.hash`). A document with another one \
                   is not run.",
        },
        EngineOption {
            name: "parameters",
            kind: OptionKind::DocumentParameters,
            docs: "Values of the document's own parameters, beyond `command` and `executionId`, which the provider sets. Not a place for \
                   secrets. Default: the document's defaults.",
        },
        application::PATHS_OPTION,
        EngineOption {
            name: "command_timeout",
            kind: OptionKind::Seconds,
            docs: "How long each run of the document may take, in seconds; what the document itself sets as `timeoutSeconds` holds too. \
                   Default: 10.",
        },
        application::SERVICE_OPTION,
    ],
    recipe: Recipe::Bracket {
        functions: &[
            application::COMMANDS,
            application::FIND,
            include_str!("guest.sh"),
        ],
        checks: &[include_str!("arm.sh")],
        stop: &[application::STOP, include_str!("stop.sh")],
        hold: &[include_str!("hold.sh")],
        let_go: &[application::COMMANDS, include_str!("thaw.sh")],
    },
};
