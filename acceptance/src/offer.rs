//! What the provider offers, by its recorded schema: what is tried follows it.

use std::sync::LazyLock;

use lab::engines::Engine;
use serde_json::Value;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../schemas/provider.json")).unwrap_or_default()
});

/// Whether `consistent_db_image` takes images of this database.
pub fn offers(engine: &Engine) -> bool {
    let providers = SCHEMA["provider_schemas"].as_object();
    providers.into_iter().flatten().any(|(_, provider)| {
        let image = &provider["resource_schemas"]["consistent_db_image"];
        !image["block"]["attributes"][engine.name].is_null()
    })
}

#[cfg(test)]
mod tests {
    use lab::engines::POSTGRESQL;

    use super::*;

    #[test]
    fn the_schema_is_read() {
        assert!(offers(&POSTGRESQL));
        let unknown = Engine {
            name: "no_such_database",
            ..POSTGRESQL
        };
        assert!(!offers(&unknown));
    }
}
