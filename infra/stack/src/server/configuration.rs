//! The server's configuration file: TLS for every account, the loopback interface alone, no acknowledged commit lost,
//! no file outside the stack's folder.

use crate::home::Home;
use crate::server::Server;
use crate::settings::Database;

/// The settings of both servers. An acknowledged commit is on disk, in the redo log and in the binary log.
const COMMON: &str = "\
innodb_flush_log_at_trx_commit = 1
sync_binlog = 1
log_bin_trust_function_creators = 1
max_binlog_size = 64M
sql_mode = STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION
character_set_server = utf8mb4
default_time_zone = '+00:00'
require_secure_transport = ON
tls_version = TLSv1.3
bind_address = 127.0.0.1
skip_name_resolve = ON
local_infile = OFF
general_log = OFF
slow_query_log = OFF
performance_schema = OFF
max_connections = 200
max_allowed_packet = 64M
";

/// Renders `my.cnf` of a stack. `memory` is the size of the buffer pool, in MiB.
pub(super) fn render(server: &Server, home: &Home, port: u16, memory: u16) -> String {
    let folder = home.mysql();
    let mut lines = vec!["# Written by `cargo stack up`; changes are lost.".to_owned()];
    lines.push("[mysqld]".to_owned());
    lines.push(format!("port = {port}"));
    lines.push(format!("innodb_buffer_pool_size = {memory}M"));
    lines.push(format!("datadir = {}", folder.join("data").display()));
    lines.push(format!("tmpdir = {}", folder.join("tmp").display()));
    // Relative to the data folder: the name of a socket may have 107 bytes at most.
    lines.push("socket = mysql.sock".to_owned());
    lines.push("pid_file = mysql.pid".to_owned());
    lines.push("log_bin = binlog".to_owned());
    lines.push(format!(
        "ssl_cert = {}",
        home.certificate("internal/db.pem").display()
    ));
    lines.push(format!(
        "ssl_key = {}",
        home.certificate("internal/db.key").display()
    ));
    lines.push(format!(
        "ssl_ca = {}",
        home.certificate("database/ca.pem").display()
    ));
    if nix::unistd::geteuid().is_root() {
        // In a container or on a CI machine every file is root's, and another user could not enter the folder. No
        // account signs in without a certificate, and none has FILE.
        lines.push("user = root".to_owned());
    }
    lines.extend(server.path_options.iter().cloned());
    let own = match server.kind {
        Database::Mariadb => format!(
            "secure_file_priv = {}\nbinlog_format = ROW\ncollation_server = utf8mb4_bin\ninnodb_log_file_size = 48M\n",
            folder.join("files").display()
        ),
        Database::Mysql => "secure_file_priv = NULL\nmysqlx = OFF\n\
             collation_server = utf8mb4_0900_bin\ninnodb_redo_log_capacity = 96M\n\
             caching_sha2_password_auto_generate_rsa_keys = OFF\nauto_generate_certs = OFF\n"
            .to_owned(),
    };
    format!("{}\n{COMMON}{own}", lines.join("\n"))
}
