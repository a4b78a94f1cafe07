//! Logs for Terraform: one JSON object a line on stderr, as hashicorp/go-hclog writes them.

use std::{
    fmt,
    io::{self, Write as _},
};

use serde_json::{Map, Value as Json, json};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};
use tracing_subscriber::{
    Layer, filter::Targets, layer::Context, prelude::*, registry::LookupSpan,
};

/// go-plugin reads this layout: `2006-01-02T15:04:05.000000Z07:00`.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// The transport's own chatter: of interest to nobody but whoever asks for everything.
const TRANSPORT: [&str; 6] = ["h2", "hyper", "hyper_util", "rustls", "tonic", "tower"];

/// Sends everything from `tracing` to Terraform, and panics, too: what is `talkative` one level below the rest. Does
/// nothing if the program has its own subscriber.
pub(super) fn install(talkative: &[&str]) {
    let targets = targets(level(|name| std::env::var(name).ok()), talkative);
    let subscriber = tracing_subscriber::registry().with(Hclog.with_filter(targets));
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
}

fn targets(level: LevelFilter, talkative: &[&str]) -> Targets {
    let transport = if level == LevelFilter::TRACE {
        level
    } else {
        level.min(LevelFilter::WARN)
    };
    let quieter = match level {
        LevelFilter::TRACE => LevelFilter::DEBUG,
        LevelFilter::DEBUG => LevelFilter::INFO,
        other => other,
    };
    Targets::new()
        .with_default(level)
        .with_targets(TRANSPORT.map(|target| (target, transport)))
        .with_targets(talkative.iter().map(|target| (*target, quieter)))
}

/// What Terraform will show anyway: more would be written for nobody. Without a wish only warnings.
fn level(variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let wish = variable("TF_LOG_PROVIDER").or_else(|| variable("TF_LOG"));
    match wish.unwrap_or_default().to_uppercase().as_str() {
        // JSON is Terraform's other output format, at the level TRACE.
        "TRACE" | "JSON" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "ERROR" => LevelFilter::ERROR,
        "OFF" => LevelFilter::OFF,
        _ => LevelFilter::WARN,
    }
}

/// Writes events with the fields of the spans around them.
struct Hclog;

/// The fields of a span, kept while it lives.
struct SpanFields(Map<String, Json>);

impl<S> Layer<S> for Hclog
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = cx.span(id) {
            span.extensions_mut().insert(SpanFields(fields.0));
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = cx.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<SpanFields>()
        {
            known.0.extend(fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in cx
            .event_scope(event)
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            if let Some(known) = span.extensions().get::<SpanFields>() {
                fields.0.extend(known.0.clone());
            }
        }
        event.record(&mut fields);
        let line = line(
            *event.metadata().level(),
            event.metadata().target(),
            fields.0,
        );
        // Terraform may be gone already; the work that is left goes on without its log.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

fn line(level: Level, target: &str, mut fields: Map<String, Json>) -> String {
    let message = fields.remove("message").unwrap_or_default();
    let message = message.as_str().unwrap_or_default();
    let timestamp = OffsetDateTime::now_utc()
        .format(TIMESTAMP)
        .unwrap_or_default();
    let level = level.as_str().to_lowercase();
    fields.insert("@level".to_owned(), json!(level));
    fields.insert("@message".to_owned(), json!(message));
    fields.insert("@module".to_owned(), json!(target));
    // go-plugin drops the whole line if one of these is no string.
    fields.insert("@timestamp".to_owned(), json!(timestamp));
    format!("{}\n", Json::Object(fields))
}

/// Collects fields as JSON.
#[derive(Default)]
struct Fields(Map<String, Json>);

impl Fields {
    fn put(&mut self, field: &Field, value: Json) {
        // A name with @ would pass for one of hclog's own.
        let name = field.name().trim_start_matches('@');
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    /// Durations in ms, as the standard library counts them.
    fn record_u128(&mut self, field: &Field, value: u128) {
        let number = u64::try_from(value).map(Json::from);
        self.put(field, number.unwrap_or_else(|_| json!(value.to_string())));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_go_plugin_parses() {
        let fields = Map::from_iter([
            ("message".to_owned(), json!("two\nlines")),
            ("attempt".to_owned(), json!(2)),
        ]);
        let line = line(Level::WARN, "toy", fields);
        assert_eq!(line.matches('\n').count(), 1);
        let parsed: Json = serde_json::from_str(&line).expect("JSON");
        assert_eq!(parsed["@level"], "warn");
        assert_eq!(parsed["@message"], "two\nlines");
        assert_eq!(parsed["attempt"], 2);
        let timestamp = parsed["@timestamp"].as_str().expect("a string");
        assert_eq!(timestamp.len(), "2006-01-02T15:04:05.000000Z".len());
    }

    #[test]
    fn the_talkative_are_heard_one_level_below_the_rest() {
        let heard = |wish: LevelFilter, target: &str| {
            let targets = targets(wish, &["sdk_"]);
            let levels = [
                Level::ERROR,
                Level::WARN,
                Level::INFO,
                Level::DEBUG,
                Level::TRACE,
            ];
            let mut heard = levels
                .into_iter()
                .filter(|level| targets.would_enable(target, level));
            heard.next_back().map(LevelFilter::from_level)
        };
        let (trace, debug) = (LevelFilter::TRACE, LevelFilter::DEBUG);
        for (wish, ours, talkative) in [
            (trace, trace, debug),
            (debug, debug, LevelFilter::INFO),
            (LevelFilter::INFO, LevelFilter::INFO, LevelFilter::INFO),
            (LevelFilter::WARN, LevelFilter::WARN, LevelFilter::WARN),
        ] {
            assert_eq!(heard(wish, "toy::thing"), Some(ours));
            assert_eq!(heard(wish, "sdk_runtime::client"), Some(talkative));
        }
        assert_eq!(heard(debug, "h2::codec"), Some(LevelFilter::WARN));
    }

    #[test]
    fn the_more_specific_wish_wins() {
        let level_of = |wishes: &[(&str, &str)]| {
            level(|name| {
                let found = wishes.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(level_of(&[]), LevelFilter::WARN);
        assert_eq!(level_of(&[("TF_LOG", "json")]), LevelFilter::TRACE);
        assert_eq!(
            level_of(&[("TF_LOG", "trace"), ("TF_LOG_PROVIDER", "error")]),
            LevelFilter::ERROR
        );
    }
}
