//! The variables that each program is configured by.

use std::ffi::OsString;
use std::path::Path;

use crate::emulator;
use crate::home::Home;
use crate::process::Program;
use crate::process::Variables;
use crate::server::DATABASE;
use crate::settings::KeyService;
use crate::settings::Settings;
use crate::settings::Variable;

/// The command that starts web.
pub(crate) fn web(settings: &Settings, home: &Home, binaries: &Path) -> Program {
    let ports = settings.options.ports;
    let mut variables = Variables::new();
    let mut set = |name: &str, value: OsString| variables.push((name.to_owned(), value));
    set("WEB_LISTEN", format!("127.0.0.1:{}", ports.web).into());
    set(
        "WEB_REDIRECT_LISTEN",
        format!("127.0.0.1:{}", ports.redirect).into(),
    );
    set("WEB_PUBLIC_ORIGIN", origin(settings).into());
    set(
        "WEB_TLS_CERTIFICATE_FILE",
        home.certificate("public/web.pem").into(),
    );
    set(
        "WEB_TLS_KEY_FILE",
        home.certificate("public/web.key").into(),
    );
    set("WEB_UPSTREAMS", format!("127.0.0.1:{}", ports.app).into());
    set("WEB_UPSTREAM_NAME", "app.internal".into());
    set("WEB_UPSTREAM_IDENTITY", identity("app").into());
    set(
        "WEB_UPSTREAM_CA_FILE",
        home.certificate("internal/ca.pem").into(),
    );
    set(
        "WEB_UPSTREAM_CERTIFICATE_FILE",
        home.certificate("internal/web.pem").into(),
    );
    set(
        "WEB_UPSTREAM_KEY_FILE",
        home.certificate("internal/web.key").into(),
    );
    set("WEB_DRAIN_SECONDS", "10".into());
    variables.extend(of_operator(settings, Variable::is_of_web));
    Program {
        name: "web",
        path: binaries.join("web"),
        arguments: Vec::new(),
        environment: variables,
        log: home.log("web"),
    }
}

/// The command that starts app, or one of its other commands.
pub(crate) fn app(
    settings: &Settings,
    home: &Home,
    binaries: &Path,
    arguments: &[OsString],
) -> anyhow::Result<Program> {
    let ports = settings.options.ports;
    let mut variables = database(settings, home, "app");
    let mut set = |name: &str, value: OsString| variables.push((name.to_owned(), value));
    set("APP_LISTEN", format!("127.0.0.1:{}", ports.app).into());
    set("APP_PUBLIC_ORIGIN", origin(settings).into());
    set(
        "APP_TLS_CERTIFICATE_FILE",
        home.certificate("internal/app.pem").into(),
    );
    set(
        "APP_TLS_KEY_FILE",
        home.certificate("internal/app.key").into(),
    );
    set(
        "APP_TLS_CLIENT_CA_FILE",
        home.certificate("internal/ca.pem").into(),
    );
    set("APP_TLS_CLIENT_IDENTITY", identity("web").into());
    set("APP_DRAIN_SECONDS", "10".into());
    set("EXPORT_FOLDER", home.objects().into());
    let seconds = [
        ("KEY_CACHE_SECONDS", settings.options.key_cache_seconds),
        (
            "SESSION_IDLE_SECONDS",
            settings.options.session_idle_seconds,
        ),
        (
            "SESSION_ABSOLUTE_SECONDS",
            settings.options.session_absolute_seconds,
        ),
    ];
    for (name, seconds) in seconds {
        set(name, seconds.to_string().into());
    }
    let connections = settings.options.database_connections;
    set("DATABASE_CONNECTIONS", connections.to_string().into());
    match settings.options.key_service {
        KeyService::Development => {
            set("KEY_SERVICE", "development".into());
            set("KEYRING_FILE", home.keyring().into());
        }
        KeyService::Emulator => variables.extend(emulator::variables(settings, home)?),
    }
    variables.extend(of_operator(settings, |variable| !variable.is_of_web()));
    Ok(Program {
        name: "app",
        path: binaries.join("app"),
        arguments: arguments.to_vec(),
        environment: variables,
        log: home.log("app"),
    })
}

/// The variables that the operator sets; the last one of a name counts.
fn of_operator(settings: &Settings, wanted: impl Fn(&Variable) -> bool) -> Variables {
    let chosen = settings.options.variables.iter().filter(|it| wanted(it));
    chosen
        .map(|it| (it.name.clone(), it.value.clone().into()))
        .collect()
}

/// The command that runs the migrations.
pub(crate) fn migrate(settings: &Settings, home: &Home, binaries: &Path) -> Program {
    Program {
        name: "migrate",
        path: binaries.join("migrate"),
        arguments: Vec::new(),
        environment: database(settings, home, "migrate"),
        log: home.log("migrate"),
    }
}

/// The connection variables of a database account.
fn database(settings: &Settings, home: &Home, account: &str) -> Variables {
    let file = |suffix: &str| home.certificate(&format!("database/{account}.{suffix}"));
    [
        ("DATABASE_HOST", OsString::from("127.0.0.1")),
        (
            "DATABASE_PORT",
            settings.options.ports.database.to_string().into(),
        ),
        ("DATABASE_NAME", DATABASE.into()),
        ("DATABASE_USER", account.into()),
        (
            "DATABASE_CA_FILE",
            home.certificate("internal/ca.pem").into(),
        ),
        ("DATABASE_CERTIFICATE_FILE", file("pem").into()),
        ("DATABASE_KEY_FILE", file("key").into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The SPIFFE id of a tier, as the development certificates have it.
#[must_use]
pub fn identity(tier: &str) -> String {
    format!("spiffe://{}/{tier}", product::TRUST_DOMAIN)
}

/// The address that a browser sees.
pub(crate) fn origin(settings: &Settings) -> String {
    format!("https://localhost:{}", settings.options.ports.web)
}
