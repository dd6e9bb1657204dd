-- The database and its accounts, to be created once by the server's administrator. Every account authenticates by a
-- client certificate of the database's own client CA, with this subject and issuer; none has a password.
-- {{database}}, {{organization}} (O= of the certificates) and {{issuer}} (the client CA's DN) are filled in.
CREATE DATABASE IF NOT EXISTS {{database}} CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'migrate'@'%' REQUIRE SUBJECT '/O={{organization}}/CN=migrate' AND ISSUER '{{issuer}}';
CREATE USER IF NOT EXISTS 'app'@'%' REQUIRE SUBJECT '/O={{organization}}/CN=app' AND ISSUER '{{issuer}}';
CREATE USER IF NOT EXISTS 'backup'@'%' REQUIRE SUBJECT '/O={{organization}}/CN=backup' AND ISSUER '{{issuer}}';
CREATE USER IF NOT EXISTS 'auditor'@'%' REQUIRE SUBJECT '/O={{organization}}/CN=auditor' AND ISSUER '{{issuer}}';
GRANT ALL PRIVILEGES ON {{database}}.* TO 'migrate'@'%' WITH GRANT OPTION;
GRANT RELOAD, PROCESS ON *.* TO 'backup'@'%';
