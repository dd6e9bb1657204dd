-- The audit trail. The app may insert and read here, never update or delete. Every unique key contains the month, so
-- that the tables can be partitioned by it.

CREATE TABLE audit_events (
  month        INT UNSIGNED    NOT NULL COMMENT 'yyyymm, UTC',
  chain        BINARY(16)      NOT NULL COMMENT 'one hash chain of one app instance',
  counter      BIGINT UNSIGNED NOT NULL COMMENT 'from 0, without gaps',
  previous     BINARY(32)      NOT NULL COMMENT 'hash of the entry before in the chain',
  organization BINARY(16)      NOT NULL,
  event        BINARY(16)      NOT NULL COMMENT 'random; also the row id of the sealed body',
  at           DATETIME(6)     NOT NULL COMMENT 'UTC',
  commitment   BINARY(32)      NOT NULL COMMENT 'Merkle root over the salted parts of the body',
  row_list     BINARY(32)      NOT NULL COMMENT 'commitment to the list in audit_rows',
  mac_key      BINARY(16)      NOT NULL COMMENT 'an authorization key of the system',
  mac          BINARY(32)      NOT NULL COMMENT 'over the entry',
  body         MEDIUMBLOB      NOT NULL COMMENT 'sealed, audit-year scope',
  kid          BINARY(16)      AS (SUBSTRING(body, 3, 16)) STORED,
  PRIMARY KEY (month, chain, counter),
  UNIQUE KEY audit_events_event (month, event),
  KEY audit_events_organization (organization, at),
  KEY audit_events_kid (kid)
) ENGINE = InnoDB;

-- The rows that each event's transaction wrote, in the clear: what the event commits to.
CREATE TABLE audit_rows (
  month        INT UNSIGNED      NOT NULL,
  event        BINARY(16)        NOT NULL,
  position     INT UNSIGNED      NOT NULL COMMENT 'from 0, in the order of the commitment',
  organization BINARY(16)        NOT NULL,
  table_tag    SMALLINT UNSIGNED NOT NULL,
  row_id       BINARY(16)        NOT NULL,
  digest       BINARY(32)        NOT NULL COMMENT 'over the row''s columns but the volatile ones',
  sequence     BIGINT UNSIGNED   NOT NULL AUTO_INCREMENT COMMENT 'a hint: which of two digests of one row is newer',
  PRIMARY KEY (month, event, position),
  KEY audit_rows_sequence (sequence),
  KEY audit_rows_row (organization, table_tag, row_id, sequence)
) ENGINE = InnoDB;

CREATE TABLE audit_addresses (
  organization BINARY(16)     NOT NULL,
  day          DATE           NOT NULL COMMENT 'UTC',
  pseudonym    BINARY(16)     NOT NULL COMMENT 'what events contain in place of the address',
  row_id       BINARY(16)     NOT NULL,
  address      VARBINARY(256) NOT NULL COMMENT 'sealed, audit-year scope',
  kid          BINARY(16)     AS (SUBSTRING(address, 3, 16)) STORED,
  PRIMARY KEY (organization, day, pseudonym),
  UNIQUE KEY audit_addresses_row (row_id),
  KEY audit_addresses_kid (kid)
) ENGINE = InnoDB;

CREATE TABLE audit_places (
  organization BINARY(16)      NOT NULL,
  place        BIGINT UNSIGNED NOT NULL COMMENT 'leaf index in the organization''s Merkle log, from 0',
  chain        BINARY(16)      NOT NULL,
  counter      BIGINT UNSIGNED NOT NULL,
  leaf         BINARY(32)      NOT NULL COMMENT 'RFC 6962 leaf hash',
  PRIMARY KEY (organization, place),
  UNIQUE KEY audit_places_entry (chain, counter)
) ENGINE = InnoDB;

CREATE TABLE audit_checkpoints (
  organization BINARY(16)      NOT NULL COMMENT 'zeros for the root over all organizations',
  size         BIGINT UNSIGNED NOT NULL,
  root         BINARY(32)      NOT NULL,
  at           DATETIME(6)     NOT NULL COMMENT 'UTC',
  note         BLOB            NOT NULL COMMENT 'the signed C2SP checkpoint',
  PRIMARY KEY (organization, size)
) ENGINE = InnoDB;

CREATE TABLE audit_sequencer (
  only_row TINYINT UNSIGNED NOT NULL DEFAULT 1,
  epoch    BIGINT UNSIGNED  NOT NULL COMMENT 'one up each time the lease changes hands',
  holder   BINARY(16)       NOT NULL,
  until    DATETIME(6)      NOT NULL COMMENT 'UTC',
  PRIMARY KEY (only_row),
  CONSTRAINT audit_sequencer_one_row CHECK (only_row = 1)
) ENGINE = InnoDB;
