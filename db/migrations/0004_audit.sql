-- The audit trail. The app may insert and read here, never update or delete.

CREATE TABLE audit_events (
  lane         BINARY(16)      NOT NULL COMMENT 'one chain of one app instance',
  counter      BIGINT UNSIGNED NOT NULL COMMENT 'from 0, without gaps',
  previous     BINARY(32)      NOT NULL COMMENT 'hash of the entry before in the lane',
  organization BINARY(16)      NOT NULL,
  event        BINARY(16)      NOT NULL COMMENT 'random; also the row id of the sealed body',
  at           DATETIME(6)     NOT NULL COMMENT 'UTC',
  commitment   BINARY(32)      NOT NULL COMMENT 'salted hash of the body',
  row_digests  BINARY(32)      NOT NULL COMMENT 'hash over the rows written with the event; zeros for none',
  mac          BINARY(32)      NOT NULL COMMENT 'under the system authorization key',
  body         MEDIUMBLOB      NOT NULL COMMENT 'sealed, audit-year scope',
  kid          BINARY(16)      AS (SUBSTRING(body, 3, 16)) STORED,
  PRIMARY KEY (lane, counter),
  UNIQUE KEY audit_events_event (event),
  KEY audit_events_organization (organization, at),
  KEY audit_events_kid (kid)
) ENGINE = InnoDB;

CREATE TABLE audit_addresses (
  organization BINARY(16)     NOT NULL,
  day          DATE           NOT NULL COMMENT 'UTC',
  pseudonym    BINARY(16)     NOT NULL COMMENT 'what events say in the address''s place',
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
  lane         BINARY(16)      NOT NULL,
  counter      BIGINT UNSIGNED NOT NULL,
  leaf         BINARY(32)      NOT NULL COMMENT 'RFC 6962 leaf hash',
  PRIMARY KEY (organization, place),
  UNIQUE KEY audit_places_entry (lane, counter),
  CONSTRAINT audit_places_events FOREIGN KEY (lane, counter) REFERENCES audit_events (lane, counter)
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
