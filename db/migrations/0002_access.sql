-- Rows that decide who may do what. Each carries a MAC under its organization's authorization key.

CREATE TABLE people (
  organization BINARY(16)      NOT NULL,
  id           BINARY(16)      NOT NULL COMMENT 'random',
  row_id       BINARY(16)      NOT NULL COMMENT 'random; what this row''s sealed columns are bound to',
  email_index  BINARY(16)      NOT NULL COMMENT 'blind index under the system index key: equality only',
  email        VARBINARY(1024) NOT NULL COMMENT 'sealed, organization scope',
  name         VARBINARY(1024) NOT NULL COMMENT 'sealed, organization scope',
  role         VARCHAR(32)     NOT NULL COMMENT 'plaintext; protected by mac',
  active       TINYINT(1)      NOT NULL COMMENT 'plaintext; protected by mac',
  created_at   DATETIME(6)     NOT NULL COMMENT 'UTC',
  mac          BINARY(32)      NOT NULL,
  kid          BINARY(16)      AS (SUBSTRING(email, 3, 16)) STORED COMMENT 'the key that seals this row',
  PRIMARY KEY (organization, id),
  UNIQUE KEY people_row (row_id),
  UNIQUE KEY people_email (email_index),
  KEY people_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE credentials (
  organization BINARY(16)     NOT NULL,
  person       BINARY(16)     NOT NULL,
  row_id       BINARY(16)     NOT NULL,
  password     VARBINARY(512) NOT NULL COMMENT 'sealed argon2id PHC string, organization scope',
  changed_at   DATETIME(6)    NOT NULL COMMENT 'UTC',
  mac          BINARY(32)     NOT NULL,
  kid          BINARY(16)     AS (SUBSTRING(password, 3, 16)) STORED,
  PRIMARY KEY (organization, person),
  UNIQUE KEY credentials_row (row_id),
  KEY credentials_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE sessions (
  token_hash   BINARY(32)  NOT NULL COMMENT 'HMAC of the cookie under the system authorization key',
  organization BINARY(16)  NOT NULL,
  person       BINARY(16)  NOT NULL,
  created_at   DATETIME(6) NOT NULL COMMENT 'UTC; the absolute limit counts from here',
  seen_at      DATETIME(6) NOT NULL COMMENT 'UTC; the idle limit counts from here',
  mac          BINARY(32)  NOT NULL,
  PRIMARY KEY (token_hash),
  KEY sessions_person (organization, person),
  KEY sessions_seen (seen_at)
) ENGINE = InnoDB;

CREATE TABLE tokens (
  token_hash   BINARY(32)  NOT NULL COMMENT 'HMAC of the bearer token under the system authorization key',
  organization BINARY(16)  NOT NULL,
  person       BINARY(16)  NOT NULL COMMENT 'on whose behalf',
  role         VARCHAR(32) NOT NULL COMMENT 'plaintext; protected by mac',
  created_at   DATETIME(6) NOT NULL COMMENT 'UTC',
  expires_at   DATETIME(6) NOT NULL COMMENT 'UTC',
  mac          BINARY(32)  NOT NULL,
  PRIMARY KEY (token_hash),
  KEY tokens_person (organization, person),
  KEY tokens_expiry (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;
