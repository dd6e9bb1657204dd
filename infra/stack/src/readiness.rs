//! When a process may be leaned on.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http::Request;
use tokio::net::TcpStream;

use crate::emulator;
use crate::home::Home;
use crate::server;
use crate::settings::Settings;
use https_client::HttpsClient;

/// Whether a process is ready: the database greets, the emulator answers, the app listens, and web
/// says that app is ready too.
pub(crate) async fn of(name: &str, settings: &Settings, home: &Home) -> bool {
    let ports = settings.options.ports;
    match name {
        "mysql" => server::greets(ports.database),
        "kms" => match emulator::client(settings, home) {
            Ok(client) => answers(&client, "/").await,
            Err(_) => false,
        },
        "app" => TcpStream::connect((Ipv4Addr::LOCALHOST, ports.app))
            .await
            .is_ok(),
        "web" => match HttpsClient::new(ports.web, &home.certificate("public/ca.pem")) {
            Ok(door) => answers(&door, "/readyz").await,
            Err(_) => false,
        },
        _ => true,
    }
}

async fn answers(door: &HttpsClient, path: &str) -> bool {
    let Ok(request) = Request::get(path).body(Bytes::new()) else {
        return false;
    };
    door.send(request)
        .await
        .is_ok_and(|answer| answer.status().is_success())
}
