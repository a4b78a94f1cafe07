//! What an image has to be like to be the one that is looked for, and what speaks against the others.

use std::{cmp::Reverse, time::Duration};

use consistent_aws::ec2::{images::Image, tags as ours};
use quiesce::engines::ENGINES;
use regex_lite::Regex;
use tfplug::{Diagnostic, Result};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::passed_over::PassedOver;
use crate::{
    duration,
    image::soundness,
    tags::{self, ConfiguredTags, Tags},
};

/// The arguments of a search, as they are written.
#[derive(Debug)]
pub(in crate::data) struct Arguments<'a> {
    pub(in crate::data) source_instance_id: Option<&'a String>,
    pub(in crate::data) engine: Option<&'a String>,
    pub(in crate::data) name_regex: Option<&'a String>,
    pub(in crate::data) tags: &'a ConfiguredTags,
    pub(in crate::data) max_age: Option<&'a String>,
    pub(in crate::data) verified: bool,
}

/// Those arguments, understood. None is anything.
#[derive(Debug, Default)]
pub(in crate::data) struct Wanted {
    pub(super) source_instance_id: Option<String>,
    pub(super) engine: Option<String>,
    pub(super) name: Option<Regex>,
    pub(super) tags: Tags,
    /// As it is written, and how long that is.
    pub(super) max_age: Option<(String, Duration)>,
    pub(super) verified: bool,
}

/// A validator: names of engines that this provider knows.
pub(in crate::data) fn engine(name: &str) -> Result<(), String> {
    if ENGINES.iter().any(|engine| engine.name == name) {
        return Ok(());
    }
    let names = ENGINES.iter().map(|engine| format!("{:?}", engine.name));
    let quoted: Vec<String> = names.collect();
    Err(format!(
        "Must be one of {}, not {name:?}.",
        quoted.join(", ")
    ))
}

/// A validator: regular expressions.
pub(in crate::data) fn pattern(text: &str) -> Result<(), String> {
    compiled(text).map(drop)
}

/// An image's name has ASCII characters only, so that nothing is missed without Unicode's tables.
fn compiled(text: &str) -> Result<Regex, String> {
    Regex::new(text)
        .map_err(|error| format!("Must be a regular expression, but {text:?} is none: {error}."))
}

impl Wanted {
    pub(in crate::data) fn of(arguments: &Arguments<'_>) -> Result<Self> {
        let wrong = |attribute: &'static str| {
            move |detail: String| {
                Diagnostic::error(format!("Invalid value for \"{attribute}\""), detail)
                    .at(attribute)
            }
        };
        let name = arguments.name_regex.map(|text| compiled(text));
        let max_age = arguments.max_age.map(|text| {
            let age = duration::parse(text)?;
            Ok((text.clone(), age))
        });
        Ok(Self {
            source_instance_id: arguments.source_instance_id.cloned(),
            engine: arguments.engine.cloned(),
            name: name.transpose().map_err(wrong("name_regex"))?,
            // What is not known by now is null, and that was refused.
            tags: tags::known(arguments.tags).unwrap_or_default(),
            max_age: max_age.transpose().map_err(wrong("max_age"))?,
            verified: arguments.verified,
        })
    }

    /// The images that match, the newest first, and the others.
    pub(in crate::data) fn judge(
        &self,
        images: Vec<Image>,
        now: OffsetDateTime,
    ) -> (Vec<Image>, Vec<PassedOver>) {
        let (mut matching, mut others) = (Vec::new(), Vec::new());
        for image in images {
            let unproven = soundness::proof_problem(&image.tags);
            // Without a proof, the rest of its tags is not worth a word.
            let unsound = unproven.map_or_else(|| soundness::image_problems(&image), |it| vec![it]);
            let why = [unsound, self.objections(&image, now)].concat();
            if why.is_empty() {
                matching.push(image);
            } else {
                others.push(PassedOver { image, why });
            }
        }
        // EC2 writes all times alike: they sort as texts.
        matching.sort_by_key(|it| Reverse((it.creation_date.clone(), it.id.clone())));
        (matching, others)
    }

    /// Whether the image is one that is asked for by its name or its instance.
    pub(super) fn means(&self, image: &Image) -> bool {
        let by_name = self
            .name
            .as_ref()
            .is_some_and(|it| it.is_match(&image.name));
        let by_instance = self
            .source_instance_id
            .as_ref()
            .is_some_and(|it| *it == image.source_instance_id);
        by_name || by_instance
    }

    /// Everything about it that is not as it is wanted, in sentences.
    fn objections(&self, image: &Image, now: OffsetDateTime) -> Vec<String> {
        let one_by_one = [
            self.other_instance(image),
            self.other_engine(image),
            self.other_name(image),
            self.too_old(image, now),
            self.unverified(image),
        ];
        let tags = self
            .tags
            .iter()
            .filter_map(|(key, value)| other_tag(image, key, value));
        one_by_one.into_iter().flatten().chain(tags).collect()
    }

    fn other_instance(&self, image: &Image) -> Option<String> {
        let (wanted, found) = (
            self.source_instance_id.as_ref()?,
            image.tags.get(ours::SOURCE_INSTANCE)?,
        );
        (wanted != found).then(|| format!("It was taken of {found}."))
    }

    fn other_engine(&self, image: &Image) -> Option<String> {
        let (wanted, found) = (self.engine.as_ref()?, image.tags.get(ours::ENGINE)?);
        let has = found.split(' ').any(|it| it == wanted);
        (!has).then(|| format!("Its engine is {found}."))
    }

    fn other_name(&self, image: &Image) -> Option<String> {
        let wanted = self.name.as_ref()?;
        (!wanted.is_match(&image.name)).then(|| "Its name does not match.".to_owned())
    }

    fn too_old(&self, image: &Image, now: OffsetDateTime) -> Option<String> {
        let (written, limit) = self.max_age.as_ref()?;
        let Ok(made) = OffsetDateTime::parse(&image.creation_date, &Rfc3339) else {
            return Some("EC2 does not tell how old it is.".to_owned());
        };
        (now - made > *limit).then(|| format!("It is older than {written}."))
    }

    fn unverified(&self, image: &Image) -> Option<String> {
        let missing = self.verified && !image.tags.contains_key(ours::VERIFIED_AT);
        missing.then(|| {
            format!(
                "No restore test of it has passed (tag `{}`).",
                ours::VERIFIED_AT
            )
        })
    }
}

fn other_tag(image: &Image, key: &str, wanted: &str) -> Option<String> {
    match image.tags.get(key) {
        Some(found) if found == wanted => None,
        Some(found) => Some(format!("Its tag {key:?} is {found:?}.")),
        None => Some(format!("It has no tag {key:?}.")),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 16:00 UTC);

    fn image(id: &str, creation_date: &str, tags: &[(&str, &str)]) -> Image {
        let proof = [
            (ours::STATE, ours::PROVEN),
            (ours::SESSION, "0123456789abcdef0123456789abcdef"),
            (ours::SOURCE_INSTANCE, "i-0123456789abcdef0"),
            (ours::ENGINE, "postgresql"),
        ];
        let tags = proof.iter().chain(tags);
        Image {
            id: id.to_owned(),
            name: "orders-1".to_owned(),
            description: String::new(),
            state: "available".to_owned(),
            state_reason: String::new(),
            architecture: "x86_64".to_owned(),
            root_device_name: "/dev/xvda".to_owned(),
            creation_date: creation_date.to_owned(),
            owner_id: "111122223333".to_owned(),
            source_instance_id: String::new(),
            deprecation_time: String::new(),
            deregistration_protection: String::new(),
            tags: tags
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            snapshots: vec![consistent_aws::ec2::images::MappedSnapshot {
                device_name: "/dev/xvda".to_owned(),
                snapshot_id: "snap-1".to_owned(),
                size_gib: 8,
                encrypted: false,
            }],
        }
    }

    /// 48 h old.
    fn orders() -> Image {
        image("ami-1", "2026-11-22T16:00:00.000Z", &[("Env", "prod")])
    }

    fn objections(wanted: &Wanted) -> Vec<String> {
        wanted.objections(&orders(), NOW)
    }

    #[test]
    fn each_argument_lets_pass_what_fits_and_says_what_does_not() {
        let of = |id: &str| Wanted {
            source_instance_id: Some(id.to_owned()),
            ..Wanted::default()
        };
        let running = |name: &str| Wanted {
            engine: Some(name.to_owned()),
            ..Wanted::default()
        };
        let called = |text: &str| Wanted {
            name: Some(compiled(text).expect("a pattern")),
            ..Wanted::default()
        };
        let tagged = |key: &str, value: &str| Wanted {
            tags: [(key.to_owned(), value.to_owned())].into(),
            ..Wanted::default()
        };
        let young = |text: &str| Wanted {
            max_age: Some((text.to_owned(), duration::parse(text).expect("a duration"))),
            ..Wanted::default()
        };
        for fitting in [
            Wanted::default(),
            of("i-0123456789abcdef0"),
            running("postgresql"),
            called("^orders-[[:digit:]]+$"),
            tagged("Env", "prod"),
            young("48h"),
        ] {
            assert_eq!(objections(&fitting), Vec::<String>::new(), "{fitting:?}");
        }
        for (unfit, said) in [
            (
                of("i-00000000000000000"),
                "It was taken of i-0123456789abcdef0.",
            ),
            (running("redis"), "Its engine is postgresql."),
            (called("^billing"), "Its name does not match."),
            (tagged("Env", "test"), "Its tag \"Env\" is \"prod\"."),
            (tagged("Team", ""), "It has no tag \"Team\"."),
            (young("47h59m"), "It is older than 47h59m."),
            (
                Wanted {
                    verified: true,
                    ..Wanted::default()
                },
                "No restore test of it has passed (tag `consistent:verified-at`).",
            ),
        ] {
            assert_eq!(objections(&unfit), [said]);
        }
    }

    #[test]
    fn one_of_several_engines_is_enough() {
        let several = image("ami-1", "", &[(ours::ENGINE, "postgresql redis")]);
        let wanted = Wanted {
            engine: Some("redis".to_owned()),
            ..Wanted::default()
        };
        assert!(wanted.objections(&several, NOW).is_empty());
    }

    #[test]
    fn a_restore_test_counts() {
        let tested = image("ami-1", "", &[(ours::VERIFIED_AT, "2026-11-22T17:00:00Z")]);
        let wanted = Wanted {
            verified: true,
            ..Wanted::default()
        };
        assert!(wanted.objections(&tested, NOW).is_empty());
    }

    #[test]
    fn an_image_without_a_time_is_not_young() {
        let wanted = Wanted {
            max_age: Some(("1h".to_owned(), Duration::from_hours(1))),
            ..Wanted::default()
        };
        let objections = wanted.objections(&image("ami-1", "", &[]), NOW);
        assert_eq!(objections, ["EC2 does not tell how old it is."]);
    }

    #[test]
    fn what_matches_is_proven_and_the_newest_is_first() {
        let mut failed = orders();
        failed.state = "failed".to_owned();
        let images = vec![
            orders(),
            image("ami-2", "2026-11-23T16:00:00.000Z", &[]),
            image("ami-3", "2026-11-21T16:00:00.000Z", &[]),
            image(
                "ami-4",
                "2026-11-24T16:00:00.000Z",
                &[(ours::STATE, ours::PENDING)],
            ),
            failed,
        ];
        let (matching, others) = Wanted::default().judge(images, NOW);
        let ids: Vec<&str> = matching.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["ami-2", "ami-1", "ami-3"]);
        let why: Vec<&str> = others.iter().map(|it| it.why[0].as_str()).collect();
        assert!(why[0].contains("still in the making"), "{why:?}");
        assert_eq!(why[1], "It is failed in EC2, not available.");
    }

    #[test]
    fn foreign_images_are_meant_by_name_or_instance() {
        let mut plain = orders();
        plain.source_instance_id = "i-1a2b3c4d".to_owned();
        let named = Wanted {
            name: Some(compiled("orders").expect("a pattern")),
            ..Wanted::default()
        };
        let of = Wanted {
            source_instance_id: Some("i-1a2b3c4d".to_owned()),
            ..Wanted::default()
        };
        assert!(named.means(&plain) && of.means(&plain));
        assert!(!Wanted::default().means(&plain));
    }

    #[test]
    fn patterns_and_engines_are_checked() {
        assert_eq!(pattern("(?i)^Orders-.*"), Ok(()));
        assert_eq!(
            pattern("orders-(").expect_err("open"),
            "Must be a regular expression, but \"orders-(\" is none: found open group without closing ')'."
        );
        assert_eq!(engine("postgresql"), Ok(()));
        assert!(
            engine("db2")
                .expect_err("unknown")
                .contains("\"postgresql\"")
        );
    }
}
