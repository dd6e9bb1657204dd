//! The cache of checked queries (`db/.sqlx`), updated as by a database with the example's
//! migration.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

/// Adds the columns of a migration to the cached queries that select whole rows of their table.
pub(crate) fn add_columns(db: &Path, migration: &Path) {
    let migration = fs::read_to_string(migration).unwrap();
    let (_, altered) = migration.split_once("ALTER TABLE ").unwrap();
    let selecting = selecting(db, word(altered));
    assert!(!selecting.is_empty(), "no cached query selects the table");
    for mut cached in selecting {
        for added in altered.split("ADD COLUMN ").skip(1) {
            add_column(&mut cached, word(added));
        }
        let digest = Sha256::digest(cached["query"].as_str().unwrap());
        let mut hash = String::new();
        for byte in digest {
            write!(hash, "{byte:02x}").unwrap();
        }
        cached["hash"] = json!(hash);
        let path = db.join(format!(".sqlx/query-{hash}.json"));
        fs::write(path, cached.to_string()).unwrap();
    }
}

fn word(text: &str) -> &str {
    text.split_whitespace().next().unwrap()
}

/// The cached queries that select whole rows of a table.
fn selecting(db: &Path, table: &str) -> Vec<Value> {
    let files = fs::read_dir(db.join(".sqlx")).unwrap();
    let cached = files.map(|it| fs::read(it.unwrap().path()).unwrap());
    cached
        .map(|it| serde_json::from_slice(&it).unwrap())
        .filter(|it: &Value| {
            let text = it["query"].as_str().unwrap();
            text.contains("t.mac_key AS") && text.contains(&format!(" FROM {table} t "))
        })
        .collect()
}

/// Adds a nullable column before the MAC, at its position in a query of the macro `table!`.
fn add_column(cached: &mut Value, name: &str) {
    let query = cached["query"].as_str().unwrap();
    let selected = format!("t.{name} AS `{name}: _`, t.mac_key AS");
    cached["query"] = json!(query.replace("t.mac_key AS", &selected));
    let columns = cached["describe"]["columns"].as_array_mut().unwrap();
    let before = columns.iter().position(|it| it["name"] == "mac_key: _");
    let before = before.unwrap();
    let column = json!({
        "ordinal": before,
        "name": format!("{name}: _"),
        "type_info": {"type": "Blob", "flags": "BLOB | BINARY", "collation": 63, "max_size": 16_777_215},
    });
    columns.insert(before, column);
    for (ordinal, column) in columns.iter_mut().enumerate() {
        column["ordinal"] = json!(ordinal);
    }
    let nullable = cached["describe"]["nullable"].as_array_mut().unwrap();
    nullable.insert(before, json!(true));
}
