//! The registry's pages: `docs/index.md` and one page a resource, data source or list, from the schema and the examples;
//! one guide an engine, from the engine's definition.

mod engines;
mod import;
mod types;

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::{
    golden::{self, Mode},
    schema,
};

const PROVIDER: &str = "consistent";

pub(crate) fn run(mode: Mode) -> Result<(), String> {
    let (schema, query) = (read(schema::PATH)?, read(schema::QUERY)?);
    let provider = &schema["provider_schemas"][schema::ADDRESS];
    let identities = &query["resource_identity_schemas"];
    let example = golden::read("examples/provider/provider.tf")?;
    let title = format!("{PROVIDER} Provider");
    let index = page(&title, &provider["provider"]["block"], &example);
    golden::settle(mode, "docs/index.md", &index, "docs")?;

    for (subject, schemas) in [
        (RESOURCES, provider),
        (DATA_SOURCES, provider),
        (LISTS, &query),
    ] {
        for (name, schema) in entries(&schemas[subject.schemas]) {
            let short = name.strip_prefix(&format!("{PROVIDER}_")).unwrap_or(name);
            let path = format!("docs/{}/{short}.md", subject.folder);
            let page = subject.page(name, schema, &identities[name])?;
            golden::settle(mode, &path, &page, "docs")?;
        }
    }
    for (path, page) in engines::pages() {
        golden::settle(mode, &path, &page, "docs")?;
    }
    Ok(())
}

fn read(path: &str) -> Result<Value, String> {
    serde_json::from_str(&golden::read(path)?).map_err(|error| format!("{path}: {error}"))
}

/// What has pages of its own.
struct Subject {
    /// Where its schemas stand in the provider's.
    schemas: &'static str,
    /// Of its pages and its examples.
    folder: &'static str,
    example: &'static str,
    title: &'static str,
}

const RESOURCES: Subject = Subject {
    schemas: "resource_schemas",
    folder: "resources",
    example: "resource.tf",
    title: "Resource",
};

const DATA_SOURCES: Subject = Subject {
    schemas: "data_source_schemas",
    folder: "data-sources",
    example: "data-source.tf",
    title: "Data Source",
};

/// Their schema is that of the `config` block.
const LISTS: Subject = Subject {
    schemas: "list_resource_schemas",
    folder: "list-resources",
    example: "list-resource.tfquery.hcl",
    title: "List Resource",
};

impl Subject {
    fn page(&self, name: &str, schema: &Value, identity: &Value) -> Result<String, String> {
        let examples = format!("examples/{}/{name}", self.folder);
        let example = golden::read(&format!("{examples}/{}", self.example))?;
        let title = format!("{name} ({})", self.title);
        let mut page = page(&title, &schema["block"], &example);
        page.push_str(&import::section(&examples, identity).unwrap_or_default());
        Ok(page)
    }
}

/// A page in the registry's layout.
fn page(title: &str, block: &Value, example: &str) -> String {
    let description = unwrapped(text(&block["description"]));
    let first = description.split("\n\n").next().unwrap_or_default();
    let mut page = format!(
        "---\npage_title: \"{title}\"\nsubcategory: \"\"\ndescription: |-\n  {first}\n---\n\n\
         <!-- Written by `cargo xtask docs`. -->\n\n# {title}\n\n{description}\n\n\
         ## Example Usage\n\n```terraform\n{}\n```\n\n## Schema\n",
        example.trim_end()
    );
    section(&mut page, block, &[]);
    page
}

/// Everything that stands in a block, and below it what is nested there.
fn section(page: &mut String, block: &Value, path: &[&str]) {
    let members = members(block);
    for (heading, kind) in [
        ("Required", Kind::Required),
        ("Optional", Kind::Optional),
        ("Read-Only", Kind::ReadOnly),
    ] {
        let listed: Vec<&Member<'_>> = members.iter().filter(|it| it.kind == kind).collect();
        if listed.is_empty() {
            continue;
        }
        let hashes = if path.is_empty() { "### " } else { "" };
        let colon = if path.is_empty() { "" } else { ":" };
        let _ = write!(page, "\n{hashes}{heading}{colon}\n\n");
        let (one, several): (Vec<_>, Vec<_>) =
            alike(listed).into_iter().partition(|it| it.len() == 1);
        for members in one.iter().chain(&several) {
            let _ = writeln!(page, "{}", line(members, path));
        }
    }
    for member in members {
        if let Some(inner) = member.inner {
            let path: Vec<&str> = path.iter().copied().chain([member.name]).collect();
            let (anchor, name) = (anchor(&path), path.join("."));
            let _ = write!(
                page,
                "\n<a id=\"{anchor}\"></a>\n### Nested Schema for `{name}`\n"
            );
            section(page, inner, &path);
        }
    }
}

/// Members of which the same is said, together: three hundred lines alike would hide the others.
fn alike<'a, 'b>(members: Vec<&'b Member<'a>>) -> Vec<Vec<&'b Member<'a>>> {
    let mut groups: Vec<Vec<&Member<'_>>> = Vec::new();
    for member in members {
        match groups.iter_mut().find(|group| group[0].says_as(member)) {
            Some(group) => group.push(member),
            None => groups.push(vec![member]),
        }
    }
    groups
}

/// What is said of members that are alike.
fn line(members: &[&Member<'_>], path: &[&str]) -> String {
    let names: Vec<String> = members.iter().map(|it| format!("`{}`", it.name)).collect();
    format!("- {} {}", names.join(", "), members[0].about(path))
}

/// An attribute or a nested block.
struct Member<'a> {
    name: &'a str,
    kind: Kind,
    /// As the registry's pages call it: `String`, `List of String`, `Attributes`, `Block List`.
    ty: String,
    notes: Vec<&'static str>,
    description: String,
    inner: Option<&'a Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Required,
    Optional,
    ReadOnly,
}

impl Member<'_> {
    fn says_as(&self, other: &Self) -> bool {
        let said = |it: &Self| (it.ty.clone(), it.notes.clone(), it.description.clone());
        self.inner.is_none() && other.inner.is_none() && said(self) == said(other)
    }

    fn about(&self, path: &[&str]) -> String {
        let about: Vec<&str> = std::iter::once(self.ty.as_str())
            .chain(self.notes.iter().copied())
            .collect();
        let about = about.join(", ");
        let path: Vec<&str> = path.iter().copied().chain([self.name]).collect();
        let below = match self.inner {
            Some(_) => format!(" (see [below for nested schema](#{}))", anchor(&path)),
            None => String::new(),
        };
        format!("({about}) {}{below}", self.description)
    }
}

/// The members of a block, by name.
fn members(block: &Value) -> Vec<Member<'_>> {
    let attributes = entries(&block["attributes"]).map(|(name, it)| attribute(name, it));
    let blocks = entries(&block["block_types"]).map(|(name, it)| nested_block(name, it));
    let mut members: Vec<Member<'_>> = attributes.chain(blocks).collect();
    members.sort_by_key(|member| member.name);
    members
}

fn attribute<'a>(name: &'a str, attribute: &'a Value) -> Member<'a> {
    let is = |flag: &str| attribute[flag] == Value::Bool(true);
    let nested = attribute.get("nested_type");
    Member {
        name,
        kind: match (is("required"), is("optional")) {
            (true, _) => Kind::Required,
            (_, true) => Kind::Optional,
            _ => Kind::ReadOnly,
        },
        ty: match nested {
            Some(nested) => types::nested("Attributes", text(&nested["nesting_mode"])),
            None => types::plain(&attribute["type"]),
        },
        notes: [("sensitive", "Sensitive"), ("deprecated", "Deprecated")]
            .into_iter()
            .filter_map(|(flag, note)| is(flag).then_some(note))
            .collect(),
        description: unwrapped(text(&attribute["description"])),
        inner: nested,
    }
}

fn nested_block<'a>(name: &'a str, block: &'a Value) -> Member<'a> {
    let needed = block["min_items"].as_u64().is_some_and(|count| count > 0);
    Member {
        name,
        kind: if needed {
            Kind::Required
        } else {
            Kind::Optional
        },
        ty: types::nested("Block", text(&block["nesting_mode"])),
        notes: Vec::new(),
        description: unwrapped(text(&block["block"]["description"])),
        inner: Some(&block["block"]),
    }
}

fn anchor(path: &[&str]) -> String {
    format!("nested--{}", path.join("--"))
}

/// Paragraphs on one line each: the source's line breaks mean nothing.
fn unwrapped(markdown: &str) -> String {
    let paragraphs = markdown.split("\n\n");
    let paragraphs: Vec<String> = paragraphs.map(|it| it.replace('\n', " ")).collect();
    paragraphs.join("\n\n")
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let map = value.as_object().into_iter().flat_map(Map::iter);
    map.map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_lists_what_is_required_optional_and_read_only() {
        let block = json!({
            "description": "A thing.\nOf two lines.\n\nMore.",
            "attributes": {
                "name": { "type": "string", "required": true, "description": "Its\nname." },
                "secret": { "type": "string", "optional": true, "sensitive": true, "description": "Hidden." },
                "id": { "type": "string", "computed": true, "description": "Its id." },
                "size": { "type": "number", "optional": true, "computed": true, "description": "Its size." },
            },
        });
        let page = page(
            "toy_thing (Resource)",
            &block,
            "resource \"toy_thing\" \"a\" {}\n",
        );
        assert!(page.starts_with("---\npage_title: \"toy_thing (Resource)\""));
        assert!(page.contains("description: |-\n  A thing. Of two lines.\n---"));
        assert!(page.contains("# toy_thing (Resource)\n\nA thing. Of two lines.\n\nMore.\n"));
        assert!(page.contains("```terraform\nresource \"toy_thing\" \"a\" {}\n```"));
        assert!(page.contains(
            "### Required\n\n- `name` (String) Its name.\n\n### Optional\n\n- `secret` (String, Sensitive) Hidden.\n\
             - `size` (Number) Its size.\n\n### Read-Only\n\n- `id` (String) Its id.\n"
        ));
    }

    #[test]
    fn members_of_which_the_same_is_said_share_a_line_after_the_others() {
        let text = |description: &str| json!({ "type": "string", "optional": true, "description": description });
        let block = json!({ "attributes": { "a": text("Unused."), "b": text("Used."), "c": text("Unused.") } });
        let mut page = String::new();
        section(&mut page, &block, &[]);
        assert_eq!(
            page,
            "\n### Optional\n\n- `b` (String) Used.\n- `a`, `c` (String) Unused.\n"
        );
    }

    #[test]
    fn what_is_nested_is_linked_and_explained_below() {
        let inner = json!({ "attributes": { "port": { "type": "number", "optional": true, "description": "A port." } } });
        let mut object = inner.clone();
        object["nesting_mode"] = "single".into();
        let block = json!({
            "attributes": { "engine": { "nested_type": object, "optional": true, "description": "An engine." } },
            "block_types": { "role": { "nesting_mode": "list", "block": inner } },
        });
        let mut page = String::new();
        section(&mut page, &block, &[]);
        assert!(page.contains(
            "- `engine` (Attributes) An engine. (see [below for nested schema](#nested--engine))"
        ));
        assert!(page.contains("- `role` (Block List)"));
        assert!(page.contains(
            "<a id=\"nested--engine\"></a>\n### Nested Schema for `engine`\n\nOptional:\n\n- `port` (Number) A port.\n"
        ));
    }
}
