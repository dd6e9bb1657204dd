-- Rows that decide access. Each is authenticated.

CREATE TABLE people (
  organization BINARY(16)      NOT NULL,
  id           BINARY(16)      NOT NULL COMMENT 'random',
  row_id       BINARY(16)      NOT NULL COMMENT 'random; what this row''s sealed columns are bound to',
  email_token  BINARY(16)      NOT NULL COMMENT 'blind index under the system''s index key: equality only',
  email        VARBINARY(1024) NOT NULL COMMENT 'sealed, organization scope',
  name         VARBINARY(1024) NOT NULL COMMENT 'sealed, organization scope',
  role         VARCHAR(32)     NOT NULL COMMENT 'plaintext; protected by mac',
  active       TINYINT(1)      NOT NULL COMMENT 'plaintext; protected by mac',
  created_at   DATETIME(6)     NOT NULL COMMENT 'UTC',
  mac_key      BINARY(16)      NOT NULL,
  mac          BINARY(32)      NOT NULL,
  kid          BINARY(16)      AS (SUBSTRING(email, 3, 16)) STORED COMMENT 'the key that seals this row',
  PRIMARY KEY (organization, id),
  UNIQUE KEY people_row (row_id),
  UNIQUE KEY people_email (email_token),
  KEY people_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE credentials (
  organization BINARY(16)     NOT NULL,
  person       BINARY(16)     NOT NULL,
  row_id       BINARY(16)     NOT NULL,
  password     VARBINARY(512) NOT NULL COMMENT 'sealed argon2id PHC string, organization scope',
  changed_at   DATETIME(6)    NOT NULL COMMENT 'UTC',
  mac_key      BINARY(16)     NOT NULL,
  mac          BINARY(32)     NOT NULL,
  kid          BINARY(16)     AS (SUBSTRING(password, 3, 16)) STORED,
  PRIMARY KEY (organization, person),
  UNIQUE KEY credentials_row (row_id),
  KEY credentials_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE sessions (
  token_hash       BINARY(32)  NOT NULL COMMENT 'labelled SHA-256 of the cookie or bearer token',
  organization     BINARY(16)  NOT NULL,
  id               BINARY(16)  NOT NULL COMMENT 'random; what the audit trail says',
  kind             VARCHAR(16) NOT NULL COMMENT 'session or bearer',
  person           BINARY(16)  NOT NULL,
  role             VARCHAR(32) NOT NULL COMMENT 'the role that it was begun in',
  method           VARCHAR(32) NOT NULL COMMENT 'how the person was authenticated',
  authenticated_at DATETIME(6) NOT NULL COMMENT 'UTC',
  expires_at       DATETIME(6) NOT NULL COMMENT 'UTC; the absolute limit',
  seen_at          DATETIME(6) NOT NULL COMMENT 'UTC; the idle limit counts from here; volatile',
  ended_at         DATETIME(6) NULL     COMMENT 'UTC; when it was revoked',
  mac_key          BINARY(16)  NOT NULL,
  mac              BINARY(32)  NOT NULL,
  PRIMARY KEY (token_hash),
  UNIQUE KEY sessions_id (id),
  KEY sessions_person (organization, person),
  KEY sessions_expiry (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;
