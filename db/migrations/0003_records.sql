-- Clinical records. A chart clusters by (organization, owner kind, owner, …); the owner is a patient, or the
-- organization for directory resources. Each version is a row of its own; history is never resealed.

CREATE TABLE resources (
  organization BINARY(16)       NOT NULL,
  owner_kind   TINYINT UNSIGNED NOT NULL,
  owner        BINARY(16)       NOT NULL,
  kind         VARCHAR(64)      NOT NULL COMMENT 'FHIR resource type',
  id           BINARY(16)       NOT NULL COMMENT 'random UUID',
  row_id       BINARY(16)       NOT NULL COMMENT 'random; stays when the head moves',
  version      INT UNSIGNED     NOT NULL COMMENT 'the current version, from 1',
  version_row  BINARY(16)       NOT NULL COMMENT 'the row of that version',
  version_digest BINARY(32)     NOT NULL COMMENT 'the digest of that row, so that heads are compared without bodies',
  updated_at   DATETIME(6)      NOT NULL COMMENT 'UTC',
  mac_key      BINARY(16)       NOT NULL,
  mac          BINARY(32)       NOT NULL,
  PRIMARY KEY (organization, owner_kind, owner, kind, id),
  UNIQUE KEY resources_id (organization, kind, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE resource_versions (
  organization BINARY(16)       NOT NULL,
  owner_kind   TINYINT UNSIGNED NOT NULL,
  owner        BINARY(16)       NOT NULL,
  kind         VARCHAR(64)      NOT NULL,
  id           BINARY(16)       NOT NULL,
  version      INT UNSIGNED     NOT NULL,
  row_id       BINARY(16)       NOT NULL,
  at           DATETIME(6)      NOT NULL COMMENT 'UTC',
  body         MEDIUMBLOB       NOT NULL COMMENT 'sealed resource, patient or organization scope',
  mac_key      BINARY(16)       NOT NULL,
  mac          BINARY(32)       NOT NULL,
  kid          BINARY(16)       AS (SUBSTRING(body, 3, 16)) STORED,
  PRIMARY KEY (organization, owner_kind, owner, kind, id, version),
  UNIQUE KEY resource_versions_row (row_id),
  KEY resource_versions_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE demographics (
  organization BINARY(16)      NOT NULL,
  patient      BINARY(16)      NOT NULL,
  row_id       BINARY(16)      NOT NULL,
  version      INT UNSIGNED    NOT NULL COMMENT 'the version of the Patient resource that these fields repeat',
  family       MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope',
  given        MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope',
  birth_date   MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope',
  gender       MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope',
  mrn          MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope',
  ssn          MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope',
  phone        MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope',
  email        MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope',
  address      MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope',
  roster_entry MEDIUMBLOB      NOT NULL COMMENT 'sealed, patient scope: names and birth date, for the roster',
  mac_key      BINARY(16)      NOT NULL,
  mac          BINARY(32)      NOT NULL,
  kid          BINARY(16)      AS (SUBSTRING(family, 3, 16)) STORED,
  PRIMARY KEY (organization, patient),
  UNIQUE KEY demographics_row (row_id),
  KEY demographics_kid (kid)
) ENGINE = InnoDB;

-- Blind index of patients. Tokens are hints: matches are compared again after opening.
CREATE TABLE patient_index (
  organization BINARY(16)        NOT NULL,
  parameter    SMALLINT UNSIGNED NOT NULL COMMENT 'identifier, identifier value, phone or e-mail',
  version      SMALLINT UNSIGNED NOT NULL COMMENT 'index version',
  token        BINARY(16)        NOT NULL,
  patient      BINARY(16)        NOT NULL,
  unique_token BINARY(16)        NULL     COMMENT 'the token again, for record numbers with a system: no two patients have one',
  PRIMARY KEY (organization, parameter, version, token, patient),
  UNIQUE KEY patient_index_unique (organization, version, unique_token),
  KEY patient_index_patient (organization, patient)
) ENGINE = InnoDB;
