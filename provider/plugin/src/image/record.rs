//! What EC2 does not know of an image's configuration, kept in tags of the image: an import finds it there.
//!
//! It is JSON, without what is default anyway: `{"quiesce":{"max_hold_seconds":30},"consistent:digest":"5c0b..."}`. Of
//! `triggers` it has that digest; images of early builds have the words themselves.
//! Of shell text of the user's own, and of what a document is passed, only that there is some is recorded: it is nobody else's business.

use std::collections::BTreeMap;

use consistent_aws::ec2::tags::CONFIGURATION;
use quiesce::engines::{ENGINES, Engine};
use serde_json::{Map, Value as Json};
use tfplug::{Cty, DecodeError, Model, Number};

use super::{model::ImageModel, triggers};

/// A tag's value (EC2 user guide, "Tag restrictions"), in characters.
const LONGEST: usize = 256;

/// Says that something was told which no tag keeps.
const LEFT_OUT: &str = "left_out";

/// The attributes that stand nowhere else. An engine's own are of use only with something in them: that it was chosen is a
/// tag already.
fn attributes() -> impl Iterator<Item = &'static str> {
    let engines = ENGINES.iter().map(|engine| engine.name);
    engines.chain([
        "capture",
        "name_prefix",
        "quiesce",
        "skip_destroy",
        "timeouts",
        triggers::ATTRIBUTE,
    ])
}

/// The tags that record how `model` is configured; none where it is too long for them.
pub(super) fn tags(model: &ImageModel) -> BTreeMap<String, String> {
    let mut told = differing(model);
    told.remove(triggers::ATTRIBUTE);
    if let Some(digest) = triggers::digest_of(model) {
        told.insert(triggers::DIGEST.to_owned(), digest.into());
    }
    if model.engines.hold_private() {
        told.insert(LEFT_OUT.to_owned(), Json::Bool(true));
    }
    let text = Json::Object(told).to_string();
    let letters: Vec<char> = text.chars().collect();
    if letters.len() > LONGEST * CONFIGURATION.len() {
        return BTreeMap::new();
    }
    let parts = letters.chunks(LONGEST).map(|part| part.iter().collect());
    CONFIGURATION
        .iter()
        .map(ToString::to_string)
        .zip(parts)
        .collect()
}

/// What the tags of an image record.
pub(super) struct Record {
    /// By attribute.
    pub(super) told: BTreeMap<String, Cty>,
    /// Nothing else was told.
    pub(super) is_whole: bool,
}

/// None where the tags record nothing that can be read.
pub(super) fn read(tags: &BTreeMap<String, String>) -> Option<Record> {
    let parts = CONFIGURATION.iter().filter_map(|key| tags.get(*key));
    let text: String = parts.map(String::as_str).collect();
    let Json::Object(told) = serde_json::from_str(&text).ok()? else {
        return None;
    };
    let known = attributes().filter_map(|name| Some((name.to_owned(), cty(told.get(name)?)?)));
    let digest = told.get(triggers::DIGEST).and_then(Json::as_str);
    let digest = digest.map(|it| (triggers::ATTRIBUTE.to_owned(), triggers::of_digest(it)));
    Some(Record {
        told: known.chain(digest).collect(),
        is_whole: !told.contains_key(LEFT_OUT),
    })
}

/// A model that is configured with `told`, and else as by default.
pub(super) fn configured(told: BTreeMap<String, Cty>) -> Result<ImageModel, DecodeError> {
    let mut all = defaults();
    for (name, told) in told {
        let default = all.remove(&name).unwrap_or(Cty::Null);
        all.insert(name, over(default, told));
    }
    ImageModel::from_cty(Cty::Map(all))
}

fn defaults() -> BTreeMap<String, Cty> {
    let attributes = ImageModel::block().attributes.into_iter();
    attributes
        .filter_map(|attribute| Some((attribute.name, attribute.default?)))
        .collect()
}

/// An object's attributes go over those of its default one by one.
fn over(default: Cty, told: Cty) -> Cty {
    match (default, told) {
        (Cty::Map(mut all), Cty::Map(told)) => {
            all.extend(told);
            Cty::Map(all)
        }
        (_, told) => told,
    }
}

/// Only what differs from the defaults is worth its characters.
fn differing(model: &ImageModel) -> Map<String, Json> {
    let (own, default) = (model.clone().into_cty(), Cty::Map(defaults()));
    let differs = |name: &&str| own.attribute(name) != default.attribute(name);
    let told = attributes().filter(differs).filter_map(|name| {
        let engine = Engine::named(name);
        let own = engine.map_or_else(
            || own.attribute(name).clone(),
            |engine| without_private(engine, own.attribute(name)),
        );
        let json = json(without_defaults(&own, default.attribute(name)))?;
        (engine.is_none() || json != Json::Object(Map::new())).then(|| (name.to_owned(), json))
    });
    told.collect()
}

/// An engine's options without those that are nobody else's business.
fn without_private(engine: &Engine, told: &Cty) -> Cty {
    let Cty::Map(told) = told else {
        return told.clone();
    };
    let private = |name: &str| {
        let mut options = engine.options.iter();
        options.any(|option| option.name == name && option.kind.is_private())
    };
    let kept = told.iter().filter(|(name, _)| !private(name));
    Cty::Map(kept.map(|(name, it)| (name.clone(), it.clone())).collect())
}

/// An object without the attributes that are null or as they are by default.
fn without_defaults(own: &Cty, default: &Cty) -> Cty {
    match (own, default) {
        (Cty::Map(own), Cty::Map(default)) => {
            let differs = |name: &String, it: &Cty| default.get(name).is_none_or(|d| d != it);
            let kept = own.iter().filter(|(name, it)| differs(name, it));
            Cty::Map(kept.map(|(name, it)| (name.clone(), it.clone())).collect())
        }
        (own, _) => own.clone(),
    }
}

/// Nothing is left unknown once an image is made.
fn json(cty: Cty) -> Option<Json> {
    Some(match cty {
        Cty::Null | Cty::Unknown(_) => return None,
        Cty::Bool(it) => Json::Bool(it),
        Cty::Number(it) => it.to_i64()?.into(),
        Cty::String(it) => Json::String(it),
        Cty::Seq(them) => Json::Array(them.into_iter().filter_map(json).collect()),
        Cty::Map(them) => {
            let told = them
                .into_iter()
                .filter_map(|(name, it)| Some((name, json(it)?)));
            Json::Object(told.collect())
        }
        Cty::Dynamic(inner) => json(inner.1)?,
    })
}

fn cty(json: &Json) -> Option<Cty> {
    Some(match json {
        Json::Null => Cty::Null,
        Json::Bool(it) => Cty::Bool(*it),
        Json::Number(it) => Cty::Number(Number::from(it.as_i64()?)),
        Json::String(it) => Cty::String(it.clone()),
        Json::Array(them) => Cty::Seq(them.iter().map(cty).collect::<Option<_>>()?),
        Json::Object(them) => {
            let entry = |(name, it): (&String, _)| Some((name.clone(), cty(it)?));
            Cty::Map(them.iter().map(entry).collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use tfplug::Value;

    use super::*;
    use crate::image::model::{Quiesce, Timeouts};

    fn from(told: &[(&str, Cty)]) -> ImageModel {
        let told = told
            .iter()
            .map(|(name, it)| ((*name).to_owned(), it.clone()));
        configured(told.collect()).expect("a model")
    }

    fn engine(options: &[(&str, Cty)]) -> Cty {
        let options = options
            .iter()
            .map(|(name, it)| ((*name).to_owned(), it.clone()));
        Cty::Map(options.collect())
    }

    fn read_back(model: &ImageModel) -> ImageModel {
        let record = read(&tags(model)).expect("a record");
        assert!(record.is_whole);
        configured(record.told).expect("a model")
    }

    #[test]
    fn what_is_default_needs_no_words() {
        let model = from(&[("postgresql", engine(&[("port", Cty::Null)]))]);
        let tags = tags(&model);
        assert_eq!(
            tags,
            [(CONFIGURATION[0].to_owned(), "{}".to_owned())].into()
        );
        assert_eq!(read_back(&model).quiesce, Quiesce::default().into());
        assert_eq!(read_back(&model).capture, "create_image".into());
        assert_eq!(read_back(&model).skip_destroy, Value::Known(false));
    }

    #[test]
    fn everything_comes_back_as_it_was() {
        let port = Cty::Number(Number::from(5433_i64));
        let mut model = from(&[("postgresql", engine(&[("port", port)]))]);
        model.name_prefix = "orders-".into();
        model.capture = "create_snapshots".into();
        model.skip_destroy = true.into();
        model.triggers = Value::Known([("release".to_owned(), "2026.11 \"x\"".into())].into());
        model.quiesce = Value::Known(Quiesce {
            max_hold_seconds: Value::Known(30),
            ..Quiesce::default()
        });
        model.timeouts = Value::Known(Timeouts {
            create: "90m".into(),
            ..Timeouts::default()
        });
        let digest = triggers::digest_of(&model).expect("triggers");
        assert_eq!(
            tags(&model)[CONFIGURATION[0]],
            r#"{"capture":"create_snapshots","consistent:digest":"DIGEST","name_prefix":"orders-","postgresql":{"port":5433},"quiesce":{"max_hold_seconds":30},"skip_destroy":true,"timeouts":{"create":"90m"}}"#
                .replace("DIGEST", &digest)
        );
        let (again, mut expected) = (read_back(&model).into_cty(), model.into_cty());
        let Cty::Map(attributes) = &mut expected else {
            panic!("an object")
        };
        attributes.insert(
            "postgresql".to_owned(),
            again.attribute("postgresql").clone(),
        );
        let told = triggers::of_digest(&digest);
        attributes.insert(triggers::ATTRIBUTE.to_owned(), told);
        assert_eq!(again, expected);
        assert_eq!(
            again.attribute("postgresql").attribute("port"),
            &Cty::Number(Number::from(5433_i64))
        );
    }

    #[test]
    fn of_shell_text_only_that_there_is_some_is_recorded() {
        let text = |it: &str| Cty::String(it.to_owned());
        let custom = engine(&[
            ("paths", Cty::Seq(vec![text("/a"), text("/b")])),
            ("freeze", text("lock --password hunter2")),
            ("thaw", text("unlock")),
        ]);
        let tags = tags(&from(&[("custom", custom)]));
        assert_eq!(
            tags[CONFIGURATION[0]],
            r#"{"custom":{"paths":["/a","/b"]},"left_out":true}"#
        );
        let record = read(&tags).expect("a record");
        assert!(!record.is_whole);
        let custom = record.told["custom"].clone();
        assert_eq!(
            custom.attribute("paths"),
            &Cty::Seq(vec![text("/a"), text("/b")])
        );
    }

    #[test]
    fn a_long_record_takes_two_tags_and_one_that_is_too_long_none() {
        let options = |length: usize| {
            let directory = Cty::String(format!("/{}", "ä".repeat(length)));
            engine(&[("data_directory", directory)])
        };
        let with = |length: usize| from(&[("postgresql", options(length))]);
        let long = with(400);
        let lengths: Vec<usize> = tags(&long).values().map(|it| it.chars().count()).collect();
        assert_eq!(lengths, [256, 181]);
        assert_eq!(
            read_back(&long).into_cty().attribute("postgresql"),
            &options(400)
        );
        assert!(tags(&with(500)).is_empty());
    }

    /// However many there are, and whatever is in them.
    #[test]
    fn triggers_leave_no_word_in_a_tag() {
        let mut model = from(&[]);
        let word = |n: u8| (format!("name{n}"), format!("canary{n}").into());
        model.triggers = Value::Known((0..50).map(word).collect());
        let tags = tags(&model);
        let text: String = tags.values().map(String::as_str).collect();
        assert!(!text.contains("canary") && !text.contains("name"), "{text}");
        assert_eq!(
            read_back(&model).triggers.known().map(BTreeMap::len),
            Some(1)
        );
    }

    #[test]
    fn what_an_early_build_recorded_is_read() {
        let text = r#"{"triggers":{"release":"2026.11"}}"#;
        let tags = [(CONFIGURATION[0].to_owned(), text.to_owned())].into();
        let record = read(&tags).expect("a record");
        let model = configured(record.told).expect("a model");
        let words = [("release".to_owned(), "2026.11".into())];
        assert_eq!(model.triggers, Value::Known(words.into()));
    }

    #[test]
    fn what_nobody_wrote_is_not_read() {
        assert!(read(&BTreeMap::new()).is_none());
        for text in ["", "[]", "{", "x"] {
            let tags = [(CONFIGURATION[0].to_owned(), text.to_owned())].into();
            assert!(read(&tags).is_none(), "{text}");
        }
    }
}
