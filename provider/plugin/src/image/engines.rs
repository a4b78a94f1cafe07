//! The engines' attributes, derived from what the engines say of themselves: a new engine appears here by itself.

use std::collections::{BTreeMap, BTreeSet};

use quiesce::engines::{ENGINES, Engine, EngineOption, OptionError, OptionKind, Options};
use tfplug::{
    AttributePath, Cty, DecodeError, Diagnostic, Field, Fields, Model, Step, Value,
    schema::{Attribute, Block, Mode},
};

/// What a configuration tells of each engine: one attribute each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Engines(BTreeMap<&'static str, Cty>);

impl Model for Engines {
    fn block() -> Block {
        ENGINES.iter().fold(Block::new(""), |block, engine| {
            block.attribute(attribute(engine))
        })
    }

    fn from_fields(mut fields: Fields) -> Result<Self, DecodeError> {
        let told = ENGINES
            .iter()
            .map(|engine| (engine.name, fields.take_cty(engine.name)));
        Ok(Self(told.collect()))
    }

    fn into_fields(self) -> Fields {
        let told = self.0.into_iter();
        told.fold(Fields::default(), |fields, (name, cty)| {
            fields.with_cty(name, cty)
        })
    }
}

impl Engines {
    /// An error where no engine is chosen, and none can turn out to be.
    pub(crate) fn none_chosen(&self) -> Option<Diagnostic> {
        self.0.values().all(Cty::is_null).then(|| {
            let names: Vec<String> = ENGINES
                .iter()
                .map(|engine| format!("{} = {{}}", engine.name))
                .collect();
            let detail = format!(
                "Say which database runs on the server, at least one: {}.",
                names.join(", ")
            );
            Diagnostic::error("No database engine", detail)
        })
    }

    /// Options that would do harm without another one: a freeze that nothing would undo.
    pub(crate) fn incomplete(&self) -> impl Iterator<Item = Diagnostic> {
        self.told().filter_map(|(engine, option, told)| {
            let OptionKind::Shell { needs: Some(other) } = option.kind else {
                return None;
            };
            told.attribute(other).is_null().then(|| {
                let (path, name) = (AttributePath::new(engine.name), option.name);
                let detail = format!(
                    "`{name}` needs `{other}` beside it, which undoes what it did, whatever happens in between."
                );
                Diagnostic::error(format!("No \"{}.{other}\"", engine.name), detail)
                    .at(path.attribute(name))
            })
        })
    }

    /// Is anything told that is kept in no tag of the image?
    pub(super) fn hold_private(&self) -> bool {
        self.told().any(|(_, option, _)| option.kind.is_private())
    }

    /// Every option that is told, with all that is told of its engine.
    fn told(&self) -> impl Iterator<Item = (&'static Engine, &'static EngineOption, &Cty)> {
        ENGINES.iter().flat_map(|engine| {
            let told = self
                .0
                .get(engine.name)
                .filter(|it| matches!(it, Cty::Map(_)));
            let options = engine.options.iter();
            options.filter_map(move |option| {
                let told = told?;
                (!told.attribute(option.name).is_null()).then_some((*engine, option, told))
            })
        })
    }

    /// The names of the engines of which something else is told there.
    pub(super) fn differing(&self, other: &Self) -> impl Iterator<Item = &'static str> {
        let differs = |name: &&str| self.0.get(name) != other.0.get(name);
        ENGINES.iter().map(|engine| engine.name).filter(differs)
    }

    /// The engines chosen, with what is told of them. An error where something is not known yet.
    pub(crate) fn chosen(&self) -> Result<Vec<Options>, Diagnostic> {
        let chosen = ENGINES
            .iter()
            .filter_map(|engine| match self.0.get(engine.name) {
                None | Some(Cty::Null) => None,
                Some(told) => Some(options(engine, told.clone())),
            });
        chosen.collect()
    }
}

fn attribute(engine: &'static Engine) -> Attribute {
    let options = engine.options.iter();
    let block = options.fold(Block::new(engine.docs), |block, option| {
        block.attribute(option_attribute(engine, option))
    });
    Attribute::object(engine.name, block, Mode::Optional)
}

fn option_attribute(engine: &'static Engine, option: &'static EngineOption) -> Attribute {
    let (name, docs) = (option.name, option.docs);
    let judge = move |text: String| {
        Options::new(engine)
            .with(name, text)
            .map(drop)
            .map_err(|it| objection(&it))
    };
    let mode = if option.kind.is_required() {
        Mode::Required
    } else {
        Mode::Optional
    };
    match option.kind {
        OptionKind::Port | OptionKind::Seconds => {
            let attribute = Attribute::new::<Value<u16>>(name, docs, mode);
            attribute.validate::<u16>(move |number: &u16| judge(number.to_string()))
        }
        OptionKind::Paths => {
            let attribute = Attribute::new::<Value<BTreeSet<String>>>(name, docs, mode);
            attribute.validate::<BTreeSet<String>>(move |paths: &BTreeSet<String>| {
                if paths.iter().any(|path| path.contains('\n')) {
                    return Err("Must not hold control characters.".to_owned());
                }
                judge(lines(paths))
            })
        }
        OptionKind::DocumentParameters => {
            let attribute =
                Attribute::new::<Value<BTreeMap<String, Value<String>>>>(name, docs, mode);
            attribute.validate::<BTreeMap<String, String>>(
                move |parameters: &BTreeMap<String, String>| judge(json(parameters)),
            )
        }
        OptionKind::Text
        | OptionKind::Path
        | OptionKind::Shell { .. }
        | OptionKind::Document
        | OptionKind::DocumentVersion
        | OptionKind::DocumentHash => {
            let attribute = Attribute::new::<Value<String>>(name, docs, mode);
            attribute.validate::<String>(move |text: &str| judge(text.to_owned()))
        }
    }
}

fn objection(error: &OptionError) -> String {
    match error {
        OptionError::Invalid { reason, .. } => crate::diagnose::sentence(reason),
        unknown @ OptionError::Unknown { .. } => unknown.to_string(),
    }
}

fn options(engine: &'static Engine, told: Cty) -> Result<Options, Diagnostic> {
    let under =
        |error: DecodeError| Diagnostic::from(error.under(Step::Attribute(engine.name.to_owned())));
    let Cty::Map(mut told) = told else {
        return Err(under(DecodeError::expected("an object", &told)));
    };
    let mut options = Options::new(engine);
    for option in engine.options {
        let cty = told.remove(option.name).unwrap_or(Cty::Null);
        let text = as_text(option.kind, cty)
            .map_err(|it| under(it.under(Step::Attribute(option.name.to_owned()))))?;
        if let Some(text) = text {
            options = options.with(option.name, text).map_err(|error| {
                let path = AttributePath::new(engine.name).attribute(option.name);
                Diagnostic::error(format!("Invalid value for \"{path}\""), objection(&error))
                    .at(path)
            })?;
        }
    }
    Ok(options)
}

/// An option as the engines take it: text.
fn as_text(kind: OptionKind, cty: Cty) -> Result<Option<String>, DecodeError> {
    match kind {
        OptionKind::Port | OptionKind::Seconds => {
            Ok(Option::<u16>::decode(cty)?.map(|number| number.to_string()))
        }
        OptionKind::Paths => {
            Ok(Option::<BTreeSet<String>>::decode(cty)?.map(|paths| lines(&paths)))
        }
        OptionKind::DocumentParameters => {
            Ok(Option::<BTreeMap<String, String>>::decode(cty)?.map(|it| json(&it)))
        }
        OptionKind::Text
        | OptionKind::Path
        | OptionKind::Shell { .. }
        | OptionKind::Document
        | OptionKind::DocumentVersion
        | OptionKind::DocumentHash => Option::<String>::decode(cty),
    }
}

fn json(parameters: &BTreeMap<String, String>) -> String {
    serde_json::Value::from_iter(parameters.clone()).to_string()
}

fn lines(paths: &BTreeSet<String>) -> String {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    paths.join("\n")
}

#[cfg(test)]
mod tests {
    use tfplug::{Number, schema::Shape};

    use super::*;

    fn told(options: &[(&str, Cty)]) -> Engines {
        let object = options
            .iter()
            .map(|(name, cty)| ((*name).to_owned(), cty.clone()));
        Engines([("postgresql", Cty::Map(object.collect()))].into())
    }

    #[test]
    fn every_engine_is_an_attribute_and_every_option_stands_in_it() {
        let block = Engines::block();
        assert_eq!(block.attributes.len(), ENGINES.len());
        for (attribute, engine) in block.attributes.iter().zip(ENGINES) {
            assert_eq!(attribute.name, engine.name);
            let Shape::Nested(_, inner) = &attribute.shape else {
                panic!("{} is no object", engine.name)
            };
            let names: Vec<&str> = inner.attributes.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(
                names,
                engine.options.iter().map(|it| it.name).collect::<Vec<_>>()
            );
            assert!(inner.attributes.iter().all(|it| !it.description.is_empty()));
        }
    }

    #[test]
    fn what_is_told_becomes_options_and_the_rest_is_detected() {
        let port = Cty::Number(Number::from(5433_i64));
        let engines = told(&[
            ("port", port),
            ("os_user", Cty::Null),
            ("data_directory", Cty::String("/pg".to_owned())),
        ]);
        let chosen = engines.chosen().expect("options");
        let known: Vec<_> = chosen[0]
            .iter()
            .filter_map(|(option, value)| Some((option.name, value?)))
            .collect();
        assert_eq!(known, [("port", "5433"), ("data_directory", "/pg")]);
        assert_eq!(engines.none_chosen(), None);
    }

    #[test]
    fn a_value_goes_out_as_it_came_in() {
        let engines = told(&[("port", Cty::UNKNOWN), ("service", Cty::Null)]);
        let again = Engines::from_cty(engines.clone().into_cty()).expect("the same");
        let told = again.0.into_iter().filter(|(_, cty)| !cty.is_null());
        assert_eq!(told.collect::<BTreeMap<_, _>>(), engines.0);
    }

    #[test]
    fn no_engine_is_an_error_and_an_unknown_one_may_be_one() {
        let none = Engines::from_cty(Cty::Map(BTreeMap::new())).expect("nothing told");
        assert!(
            none.none_chosen()
                .is_some_and(|it| it.detail.contains("postgresql = {}"))
        );
        assert_eq!(
            Engines([("postgresql", Cty::UNKNOWN)].into()).none_chosen(),
            None
        );
    }

    #[test]
    fn a_freeze_that_nothing_would_undo_is_an_error() {
        let custom = |options: &[(&str, Cty)]| {
            let options = options
                .iter()
                .map(|(name, it)| ((*name).to_owned(), it.clone()));
            Engines([("custom", Cty::Map(options.collect()))].into())
        };
        let text = || Cty::String("true".to_owned());
        let alone = custom(&[("freeze", text())]);
        let problems: Vec<_> = alone.incomplete().collect();
        assert_eq!(problems[0].path.to_string(), "custom.freeze");
        for thaw in [text(), Cty::UNKNOWN] {
            let both = custom(&[("freeze", text()), ("thaw", thaw)]);
            assert_eq!(both.incomplete().count(), 0);
        }
        assert_eq!(custom(&[("thaw", text())]).incomplete().count(), 0);
    }

    #[test]
    fn paths_go_out_one_a_line() {
        let paths = ["/b", "/a"].map(|it| Cty::String(it.to_owned()));
        let told = [("paths".to_owned(), Cty::Seq(paths.to_vec()))].into();
        let engines = Engines([("custom", Cty::Map(told))].into());
        let chosen = engines.chosen().expect("options");
        let paths = chosen[0].iter().find_map(|(_, value)| value);
        assert_eq!(paths, Some("/a\n/b"));
    }

    #[test]
    fn parameters_go_out_as_json_and_what_has_to_be_told_is_required() {
        let parameters = [("user".to_owned(), Cty::String("it's \"me\"".to_owned()))];
        let told = [("parameters".to_owned(), Cty::Map(parameters.into()))].into();
        let engines = Engines([("ssm_document", Cty::Map(told))].into());
        let chosen = engines.chosen().expect("options");
        assert_eq!(
            chosen[0].told("parameters"),
            Some(r#"{"user":"it's \"me\""}"#)
        );
        assert!(engines.hold_private(), "they may be anything");
        let block = attribute(chosen[0].engine());
        let Shape::Nested(_, inner) = &block.shape else {
            panic!("no object")
        };
        let required = inner
            .attributes
            .iter()
            .filter(|it| it.mode == Mode::Required);
        let required: Vec<&str> = required.map(|it| it.name.as_str()).collect();
        assert_eq!(required, ["name", "hash", "paths"]);
    }

    #[test]
    fn a_wrong_option_is_named() {
        let error = told(&[("data_directory", Cty::String("pg".to_owned()))])
            .chosen()
            .expect_err("relative");
        assert_eq!(error.path.to_string(), "postgresql.data_directory");
        assert_eq!(error.detail, "Must be an absolute path.");
        let error = told(&[("port", Cty::UNKNOWN)])
            .chosen()
            .expect_err("unknown");
        assert_eq!(error.path.to_string(), "postgresql.port");
    }
}
