-- The change feed: a list of changes by which the instances of the app keep what they hold in memory current. Each row
-- is authenticated, and names the one before by its digest.

CREATE TABLE changes (
  organization BINARY(16)       NOT NULL,
  row_id       BINARY(16)       NOT NULL,
  incarnation  BINARY(16)       NOT NULL COMMENT 'random; another one after a restore',
  sequence     BIGINT UNSIGNED  NOT NULL COMMENT 'from 1, without gaps, in the order of commits',
  previous     BINARY(32)       NOT NULL COMMENT 'digest of the row before; zeros for the first',
  kind         TINYINT UNSIGNED NOT NULL COMMENT 'person, session, key, owner, demographics or grant',
  subject      BINARY(16)       NOT NULL COMMENT 'the id of what was changed',
  mac_key      BINARY(16)       NOT NULL,
  mac          BINARY(32)       NOT NULL,
  PRIMARY KEY (organization, incarnation, sequence),
  UNIQUE KEY changes_row (row_id)
) ENGINE = InnoDB;

CREATE TABLE change_counters (
  organization BINARY(16)      NOT NULL,
  incarnation  BINARY(16)      NOT NULL COMMENT 'of the feed',
  sequence     BIGINT UNSIGNED NOT NULL COMMENT 'the newest change; 0 for none',
  digest       BINARY(32)      NOT NULL COMMENT 'of the newest change; zeros for none',
  access       BIGINT UNSIGNED NOT NULL COMMENT 'the newest change that concerns access; 0 for none',
  mac_key      BINARY(16)      NOT NULL,
  mac          BINARY(32)      NOT NULL,
  PRIMARY KEY (organization)
) ENGINE = InnoDB;
