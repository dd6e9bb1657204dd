//! Readiness of a stack's processes.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http::Request;
use tokio::net::TcpStream;

use crate::emulator;
use crate::home::Home;
use crate::server;
use crate::settings::Settings;
use https_client::HttpsClient;

/// Whether a process is ready: the database sends its greeting, the emulator responds, app listens, and web reports
/// that app is ready too.
pub(crate) async fn of(name: &str, settings: &Settings, home: &Home) -> bool {
    let ports = settings.options.ports;
    match name {
        "mysql" => server::greets(ports.database),
        "kms" => match emulator::client(settings, home) {
            Ok(client) => responds(&client, "/").await,
            Err(_) => false,
        },
        "app" => TcpStream::connect((Ipv4Addr::LOCALHOST, ports.app))
            .await
            .is_ok(),
        "web" => match HttpsClient::new(ports.web, &home.certificate("public/ca.pem")) {
            Ok(client) => responds(&client, "/readyz").await,
            Err(_) => false,
        },
        _ => true,
    }
}

async fn responds(client: &HttpsClient, path: &str) -> bool {
    let Ok(request) = Request::get(path).body(Bytes::new()) else {
        return false;
    };
    client
        .send(request)
        .await
        .is_ok_and(|response| response.status().is_success())
}
