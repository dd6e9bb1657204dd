-- Deleted resources, the history of a type, and what searches read in place of bodies.

-- NULL for what is not deleted, and so outside the MACs of rows that were stored before.
ALTER TABLE resources
  ADD COLUMN deleted TINYINT UNSIGNED NULL COMMENT '1: the current version is a tombstone; NULL: it is not';

ALTER TABLE resource_versions
  ADD COLUMN deleted TINYINT UNSIGNED NULL COMMENT '1: a tombstone, whose sealed body is empty; NULL: a resource';

-- The history of one type in an owner, newest first. InnoDB appends `id` and `version`.
CREATE INDEX resource_versions_at ON resource_versions (organization, owner_kind, owner, kind, at);

-- A cache of the values that searches compare, one row for each head. A row that is missing, or is of another version
-- than the head's, means that the body is opened. No MAC: the sealed value names the version that it summarizes.
CREATE TABLE search_summaries (
  organization BINARY(16)       NOT NULL,
  owner_kind   TINYINT UNSIGNED NOT NULL,
  owner        BINARY(16)       NOT NULL,
  kind         VARCHAR(64)      NOT NULL COMMENT 'FHIR resource type',
  id           BINARY(16)       NOT NULL COMMENT 'of the resource',
  row_id       BINARY(16)       NOT NULL COMMENT 'random, new for each summary; what the sealed column is bound to',
  summary      VARBINARY(1024)  NOT NULL COMMENT 'sealed, patient or organization scope: the version''s row id, then its search values',
  kid          BINARY(16)       AS (SUBSTRING(summary, 3, 16)) STORED COMMENT 'the key that seals this row',
  PRIMARY KEY (organization, owner_kind, owner, kind, id),
  KEY search_summaries_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;
