//! Every query that returns rows, against a database that returns other genuine rows.
//!
//! The account `migrate` replaces a table by a view. The view returns another genuine row: of another organization,
//! patient or person, authenticated with real keys. The view alters it in three ways, and no query may return a row that
//! verifies as the requested one:
//!
//! - the columns by which the query selects are those of the requested row, all others those of the other row;
//! - the same columns satisfy WHERE with the requested values, and are returned with the other row's;
//! - one other column is the other row's, all others are the requested row's.
//!
//! Omitted rows are not tested here: the app tier finds them by the counts in `owners`.

mod cases;
mod substitution;
mod world;

use std::collections::BTreeSet;
use std::path::Path;

use self::cases::CLAIMS;
use self::cases::Case;
use self::cases::Outcome;
use self::substitution::Source;
use self::substitution::Substitution;
use self::world::World;

/// Number of queries of a view that chooses at random.
const ATTEMPTS: u32 = 400;

#[tokio::test]
async fn no_query_returns_a_genuine_row_that_was_not_requested() {
    let world = World::new().await;
    for case in cases::all() {
        let outcome = (case.run)(&world).await;
        assert_eq!(outcome, Outcome::Genuine, "{} before", case.query);
        for other in case.others {
            substituted(&world, &case, *other).await;
            mixed(&world, &case, *other).await;
        }
        let outcome = (case.run)(&world).await;
        assert_eq!(outcome, Outcome::Genuine, "{} after", case.query);
    }
}

/// The other row with the requested values of the columns by which the query selects: as constants, and changing during the
/// query.
async fn substituted(world: &World, case: &Case, other: usize) {
    let what = format!("{} of {:?} by subject {other}", case.query, case.views);
    let subject = &world.subjects[other];
    let tables: Vec<_> = case.views.iter().map(|(table, _)| *table).collect();
    let mut substitution = Substitution::of(world, tables, case.on_tables).await;
    for (table, selected_by) in case.views {
        let source = |column: &str| {
            if selected_by.contains(&column) {
                Source::Victim
            } else {
                Source::Other
            }
        };
        substitution.show(table, subject, source).await;
    }
    let outcome = (case.run)(world).await;
    // A version that is not the head's is refused, and a head without a version is no row.
    assert_ne!(outcome, Outcome::Genuine, "{what}");
    let joined = case.views[0].0 == "resource_versions" || case.views == [("resources", KEY)];
    if !joined || case.on_tables {
        assert_eq!(outcome, Outcome::Unverified, "{what}");
    }
    if !case.on_tables {
        let (table, selected_by) = case.views[0];
        let source = |column: &str| {
            if selected_by.contains(&column) {
                Source::Either
            } else {
                Source::Other
            }
        };
        substitution.show(table, subject, source).await;
        let mut outcomes = BTreeSet::new();
        let is_unbound = UNBOUND.contains(&case.query);
        let attempts = if is_unbound { ATTEMPTS / 8 } else { ATTEMPTS };
        for _ in 0..attempts {
            let outcome = (case.run)(world).await;
            assert_ne!(outcome, Outcome::Genuine, "{what}, changing");
            outcomes.insert(format!("{outcome:?}"));
            if outcomes.contains("Refused") {
                break;
            }
        }
        let is_bound = outcomes.contains("Refused") || is_unbound;
        assert!(is_bound, "{what}: {outcomes:?}");
    }
    substitution.undo().await;
}

/// The columns by which a head is selected.
const KEY: &[&str] = &["organization", "kind", "id"];

/// Queries that do not refuse the rows of a changing view: those whose result lacks the columns by which they select, pages
/// of all organizations' rows, and joins of a head with its version, in which a changing head has no version.
const UNBOUND: [&str; 6] = [
    "logged_events",
    "patients_with_token",
    "current_version",
    "current_versions",
    "current_versions_of",
    "version",
];

/// The requested row with one column of the other one.
async fn mixed(world: &World, case: &Case, other: usize) {
    let subject = &world.subjects[other];
    let tables: Vec<_> = case.views.iter().map(|(table, _)| *table).collect();
    let mut substitution = Substitution::of(world, tables, case.on_tables).await;
    for (table, _) in case.views {
        substitution.show(table, subject, |_| Source::Victim).await;
    }
    let (table, selected_by) = case.views[0];
    for column in substitution.columns(table).await {
        let is_skipped =
            selected_by.contains(&column.as_str()) || case.unread.contains(&column.as_str());
        if is_skipped
            || !substitution
                .differ(table, &column, world.victim(), subject)
                .await
        {
            continue;
        }
        let source = |name: &str| {
            if name == column {
                Source::Other
            } else {
                Source::Victim
            }
        };
        substitution.show(table, subject, source).await;
        let outcome = (case.run)(world).await;
        assert_ne!(
            outcome,
            Outcome::Genuine,
            "{}: {table}.{column}",
            case.query
        );
    }
    substitution.undo().await;
}

/// The queries of heads compare the type with the request, too. (A changing view does not show it: see [`UNBOUND`].)
#[tokio::test]
async fn a_head_of_another_spelling_is_not_the_requested_one() {
    let world = World::new().await;
    let mut substitution = Substitution::of(&world, vec!["resources"], false).await;
    substitution.show_another_spelling().await;
    let by_key = ["resource", "current_version", "current_versions", "version"];
    for case in cases::all() {
        if by_key.contains(&case.query) {
            let outcome = (case.run)(&world).await;
            assert_eq!(outcome, Outcome::Refused, "{}", case.query);
        }
    }
    substitution.undo().await;
}

#[test]
fn every_query_that_returns_rows_has_a_case() {
    let mut queries = BTreeSet::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in std::fs::read_dir(source).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let parsed = syn::parse_file(&text).unwrap();
            queries.extend(parsed.items.iter().flat_map(queries_of));
        }
    }
    let mut covered: BTreeSet<String> = CLAIMS.map(str::to_owned).into();
    covered.extend(cases::all().iter().map(|case| case.query.to_owned()));
    assert_eq!(queries, covered);
}

/// The asynchronous functions of `Database` and `Transaction` that return more than success.
fn queries_of(item: &syn::Item) -> Vec<String> {
    let syn::Item::Impl(block) = item else {
        return Vec::new();
    };
    if !["Database", "Transaction"].contains(&last_word(&block.self_ty).as_str()) {
        return Vec::new();
    }
    let mut queries = Vec::new();
    for item in &block.items {
        if let syn::ImplItem::Fn(function) = item
            && function.sig.asyncness.is_some()
            && returns_rows(&function.sig.output)
        {
            queries.push(function.sig.ident.to_string());
        }
    }
    queries
}

fn returns_rows(output: &syn::ReturnType) -> bool {
    if matches!(output, syn::ReturnType::Default) {
        return false;
    }
    // `Result<(), Error>`, `Result<Transaction, Error>` and `Result<&MySqlPool, Error>` have no rows; anything else may.
    let Some(value) = first_argument(output) else {
        return true;
    };
    if let syn::Type::Tuple(tuple) = value {
        return !tuple.elems.is_empty();
    }
    !matches!(value, syn::Type::Reference(_)) && last_word(value) != "Transaction"
}

fn first_argument(output: &syn::ReturnType) -> Option<&syn::Type> {
    let syn::ReturnType::Type(_, returned) = output else {
        return None;
    };
    let syn::Type::Path(path) = &**returned else {
        return None;
    };
    let last = path.path.segments.last()?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let syn::GenericArgument::Type(value) = arguments.args.first()? else {
        return None;
    };
    Some(value)
}

/// The last segment of a path; empty for any other type.
fn last_word(value: &syn::Type) -> String {
    let syn::Type::Path(path) = value else {
        return String::new();
    };
    path.path.segments.last().unwrap().ident.to_string()
}
