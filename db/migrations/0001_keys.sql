-- Organizations, their keys and their owners. Every key stands here, wrapped; none is stored anywhere else.
-- Rows with `mac` are authenticated: see README, "Authenticated rows".

CREATE TABLE organizations (
  organization BINARY(16)   NOT NULL COMMENT 'random',
  name         VARCHAR(200) NOT NULL COMMENT 'plaintext: which clinics exist is public',
  created_at   DATETIME(6)  NOT NULL COMMENT 'UTC',
  mac_key      BINARY(16)   NOT NULL,
  mac          BINARY(32)   NOT NULL,
  PRIMARY KEY (organization),
  UNIQUE KEY organizations_name (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE `keys` (
  id             BINARY(16)        NOT NULL COMMENT 'random; in the header of what is sealed under the key',
  organization   BINARY(16)        NOT NULL,
  owner_kind     TINYINT UNSIGNED  NOT NULL COMMENT 'patient, organization, audit year or system',
  owner          BINARY(16)        NOT NULL,
  purpose        TINYINT UNSIGNED  NOT NULL COMMENT 'branch, seal, index or authorization',
  version        INT UNSIGNED      NOT NULL COMMENT 'from 1, one up at each rotation',
  root           VARCHAR(512)      NULL     COMMENT 'branch keys: the root key that wraps this one',
  branch         BINARY(16)        NULL     COMMENT 'all others: the branch key that wraps this one',
  branch_version INT UNSIGNED      NULL,
  provider       TINYINT UNSIGNED  NOT NULL COMMENT 'what made the opaque bytes in `wrapped`',
  wrapped        VARBINARY(2048)   NOT NULL COMMENT 'the wrapped key; empty once destroyed',
  commitment     BINARY(32)        NOT NULL COMMENT 'checked at every unwrap',
  state          TINYINT UNSIGNED  NOT NULL COMMENT 'current, former, retired or destroyed',
  created_at     DATETIME(6)       NOT NULL COMMENT 'UTC',
  mac_key        BINARY(16)        NOT NULL COMMENT 'the key itself',
  mac            BINARY(32)        NOT NULL COMMENT 'under a subkey of the key itself',
  PRIMARY KEY (id),
  UNIQUE KEY keys_owner (organization, owner_kind, owner, purpose, version),
  KEY keys_branch (branch, branch_version),
  KEY keys_root (root)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE owners (
  organization BINARY(16)        NOT NULL,
  owner_kind   TINYINT UNSIGNED  NOT NULL,
  owner        BINARY(16)        NOT NULL,
  row_id       BINARY(16)        NOT NULL COMMENT 'random; what the sealed column is bound to',
  state        TINYINT UNSIGNED  NOT NULL COMMENT 'live or destroyed',
  holds        INT UNSIGNED      NOT NULL COMMENT 'legal holds: above 0, nothing is destroyed',
  key_version  INT UNSIGNED      NOT NULL COMMENT 'the version of the current scope key',
  tombstone    BINARY(16)        NULL     COMMENT 'the event of the destruction',
  audit_year   SMALLINT UNSIGNED NULL     COMMENT 'of an organization: the latest audit year that has a key',
  heads        VARBINARY(16384)  NOT NULL COMMENT 'sealed: count and multiset hash of the current heads, by resource type',
  mac_key      BINARY(16)        NOT NULL,
  mac          BINARY(32)        NOT NULL,
  kid          BINARY(16)        AS (SUBSTRING(heads, 3, 16)) STORED COMMENT 'the key that seals this row',
  PRIMARY KEY (organization, owner_kind, owner),
  UNIQUE KEY owners_row (row_id),
  KEY owners_kid (kid)
) ENGINE = InnoDB;

CREATE TABLE index_versions (
  organization BINARY(16)        NOT NULL,
  version      SMALLINT UNSIGNED NOT NULL COMMENT 'from 1',
  row_id       BINARY(16)        NOT NULL,
  index_key    BINARY(16)        NOT NULL COMMENT 'the index key of its tokens',
  normalizer   SMALLINT UNSIGNED NOT NULL COMMENT 'the normalizer of its tokens',
  state        TINYINT UNSIGNED  NOT NULL COMMENT 'filling, live or retired',
  mac_key      BINARY(16)        NOT NULL,
  mac          BINARY(32)        NOT NULL,
  PRIMARY KEY (organization, version)
) ENGINE = InnoDB;
