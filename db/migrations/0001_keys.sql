-- Organizations and the keys of DESIGN's hierarchy. Every key stands here, wrapped; none stands anywhere else.

CREATE TABLE organizations (
  id         BINARY(16)   NOT NULL COMMENT 'random',
  name       VARCHAR(200) NOT NULL COMMENT 'plaintext: which clinics exist is public',
  created_at DATETIME(6)  NOT NULL COMMENT 'UTC',
  PRIMARY KEY (id),
  UNIQUE KEY organizations_name (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4;

CREATE TABLE `keys` (
  id             BINARY(16)        NOT NULL COMMENT 'random; named in the header of what is sealed under the key',
  organization   BINARY(16)        NOT NULL,
  owner_kind     TINYINT UNSIGNED  NOT NULL COMMENT 'patient, organization, audit year or system',
  owner          BINARY(16)        NOT NULL,
  purpose        TINYINT UNSIGNED  NOT NULL COMMENT 'branch, seal, index or authorization',
  version        INT UNSIGNED      NOT NULL COMMENT 'from 1, one up at each rotation',
  root           VARCHAR(512)      NULL     COMMENT 'branch keys: the root key that wraps this one',
  branch         BINARY(16)        NULL     COMMENT 'all others: the branch key that wraps this one',
  branch_version INT UNSIGNED      NULL,
  provider       TINYINT UNSIGNED  NOT NULL COMMENT 'who made the opaque bytes in `wrapped`',
  wrapped        VARBINARY(2048)   NOT NULL COMMENT 'the wrapped key; empty once destroyed',
  commitment     BINARY(32)        NOT NULL COMMENT 'checked at every unwrap',
  state          TINYINT UNSIGNED  NOT NULL COMMENT 'active or destroyed',
  created_at     DATETIME(6)       NOT NULL COMMENT 'UTC',
  mac            BINARY(32)        NOT NULL COMMENT 'under a subkey of the key itself, over all other columns',
  PRIMARY KEY (id),
  UNIQUE KEY keys_owner (organization, owner_kind, owner, purpose, version),
  KEY keys_branch (branch, branch_version),
  KEY keys_root (root)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;
