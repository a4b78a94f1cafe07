//! The page about an engine: what it promises, its options, and every statement that reaches the server.

use std::fmt::Write as _;

use quiesce::engines::{ENGINES, Engine, Statement};

/// Path and content of each page.
pub(super) fn pages() -> impl Iterator<Item = (String, String)> {
    let path = |engine: &Engine| format!("docs/guides/engine-{}.md", engine.name);
    ENGINES.iter().map(move |it| (path(it), page(it)))
}

fn page(engine: &Engine) -> String {
    let Engine {
        name, title, docs, ..
    } = engine;
    let mut page = format!(
        "---\npage_title: \"{title}\"\nsubcategory: \"Engines\"\ndescription: |-\n  {docs}\n---\n\n\
         <!-- Written by `cargo xtask docs` from provider/quiesce/src/engines/{name}. -->\n\n# {title}\n\n{docs}\n\n{}",
        engine.page
    );
    options(&mut page, engine);
    statements(&mut page, engine);
    page
}

fn options(page: &mut String, engine: &Engine) {
    let _ = write!(page, "\n## Options of `{}`\n\n", engine.name);
    for option in engine.options {
        let _ = writeln!(page, "- `{}`: {}", option.name, option.docs);
    }
}

fn statements(page: &mut String, engine: &Engine) {
    let _ = write!(
        page,
        "\n## What runs on the server\n\n\
         Everything that is asked of it, word for word (but for settings of the session and what marks the end of an answer), by the functions in [guest.sh]\
         (https://github.com/consistent-db/terraform-provider-consistent/blob/main/provider/quiesce/src/engines/{}/guest.sh) \
         (names that begin with `$` are their variables):\n",
        engine.name
    );
    for statement in engine.statements {
        let _ = write!(page, "\n{}", entry(statement));
    }
}

fn entry(statement: &Statement) -> String {
    let lines: Vec<&str> = statement.text.lines().map(str::trim).collect();
    format!(
        "**{}**\n\n```\n{}\n```\n\n{}\n",
        statement.script,
        lines.join("\n"),
        statement.purpose
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_and_statement_stands_on_the_page_of_its_engine() {
        for engine in ENGINES {
            let page = page(engine);
            assert!(page.starts_with(&format!("---\npage_title: \"{}\"\n", engine.title)));
            for option in engine.options {
                assert!(page.contains(&format!("\n- `{}`: {}\n", option.name, option.docs)));
            }
            assert_eq!(
                page.matches("\n```\n").count(),
                2 * engine.statements.len() + page_fences(engine)
            );
        }
    }

    fn page_fences(engine: &Engine) -> usize {
        engine.page.matches("\n```\n").count()
    }
}
