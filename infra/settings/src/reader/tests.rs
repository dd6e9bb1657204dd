//! Tests of the reader of environment variables.

use std::net::SocketAddr;

use secrecy::ExposeSecret;

use super::*;

fn reader(variables: &[(&str, &str)]) -> Reader {
    let owned = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    Reader::new(&["APP_", "KEY_"], owned)
}

/// The error of one variable.
fn error<T>(
    variables: &[(&str, &str)],
    read: impl FnOnce(&Reader) -> Result<T, Reported>,
) -> String {
    reader(variables).read(read).err().unwrap().to_string()
}

#[test]
fn a_missing_variable_is_named_with_what_was_expected() {
    let error = error(&[], |reader| {
        reader.required::<SocketAddr>("APP_LISTEN", "an address and a port")
    });
    assert_eq!(
        error,
        "APP_LISTEN is not set: expected an address and a port"
    );
}

#[test]
fn a_number_out_of_range_is_refused_and_not_repeated() {
    let error = error(&[("KEY_CACHE_SECONDS", "301")], |reader| {
        reader.seconds("KEY_CACHE_SECONDS", 300, 1..=300)
    });
    assert!(
        error.contains("from 1 to 300") && !error.contains("301"),
        "{error}"
    );
}

#[test]
fn an_empty_variable_is_unset() {
    let reader = reader(&[("LOG", "")]);
    assert_eq!(
        reader.or("LOG", "a level", "info".to_owned()).unwrap(),
        "info"
    );
}

#[test]
fn every_error_of_nested_sections_is_reported() {
    #[derive(Debug)]
    struct Inner {
        port: u16,
    }
    #[derive(Debug)]
    struct Outer {
        inner: Inner,
        name: String,
    }
    let read = |reader: &Reader| {
        crate::section!(Outer {
            inner: crate::section!(Inner {
                port: reader.or("APP_PORT", "a port", 1),
            }),
            name: reader.required("APP_NAME", "a name"),
        })
    };
    let errors = reader(&[("APP_PORT", "many"), ("APP_NAMES", "x")])
        .read(read)
        .unwrap_err();
    assert_eq!(
        errors.to_string(),
        "APP_PORT has a wrong value: expected a port\n\
         APP_NAME is not set: expected a name\n\
         APP_NAMES is not a variable of this program: is it misspelt?"
    );
    let outer = reader(&[("APP_NAME", "x")]).read(read).unwrap();
    assert_eq!((outer.inner.port, outer.name.as_str()), (1, "x"));
}

#[test]
fn an_unknown_variable_is_refused_by_a_check_and_those_of_other_programs_are_not() {
    let set = [
        ("APP_LISTENS", "127.0.0.1:9443"),
        ("APP_LISTEN", ""),
        ("PATH", "/bin"),
    ];
    let read = |reader: &Reader| reader.optional::<SocketAddr>("APP_LISTEN", "an address");
    assert!(reader(&set).read(read).is_ok());
    let errors = reader(&set).check(read).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "APP_LISTENS is not a variable of this program: is it misspelt?"
    );
    assert!(reader(&set[1..]).check(read).is_ok());
}

#[test]
fn a_recorded_error_fails_the_configuration_even_if_the_result_is_dropped() {
    let error = error(&[], |reader| {
        drop(reader.required::<String>("APP_NAME", "a name"));
        Ok(())
    });
    assert!(error.starts_with("APP_NAME"), "{error}");
}

#[test]
fn a_secret_is_the_text_of_a_file_without_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "correct horse \r\n").unwrap();
    let set = [("APP_SECRET_FILE", path.to_str().unwrap())];
    let secret = reader(&set).read(|reader| reader.secret_file("APP_SECRET_FILE"));
    assert_eq!(secret.unwrap().unwrap().expose_secret(), "correct horse ");

    let missing = [("APP_SECRET_FILE", "/nowhere/secret")];
    let error = error(&missing, |reader| reader.secret_file("APP_SECRET_FILE"));
    assert!(
        error.contains("cannot be read") && error.contains("expected the path"),
        "{error}"
    );
}
