-- The lowest release that may still write. Every write transaction reads it, and locks it in share mode until its end.

CREATE TABLE release_floor (
  organization BINARY(16)   NOT NULL COMMENT 'the system; the only row',
  row_id       BINARY(16)   NOT NULL COMMENT 'random; stays when the floor is raised',
  lowest       INT UNSIGNED NOT NULL COMMENT 'the lowest release that may write; it only rises',
  raised_at    DATETIME(6)  NOT NULL COMMENT 'UTC',
  mac_key      BINARY(16)   NOT NULL,
  mac          BINARY(32)   NOT NULL,
  PRIMARY KEY (organization)
) ENGINE = InnoDB;
