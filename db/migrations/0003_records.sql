-- Clinical records. A chart clusters by (organization, owner, …); the owner is a patient, or the organization
-- itself for directory resources. Each stored version is a row of its own; history is never resealed.

CREATE TABLE resources (
  organization BINARY(16)   NOT NULL,
  owner        BINARY(16)   NOT NULL,
  kind         VARCHAR(32)  NOT NULL COMMENT 'FHIR resource type',
  id           BINARY(16)   NOT NULL COMMENT 'random UUID',
  version      INT UNSIGNED NOT NULL COMMENT 'the current version, from 1',
  updated_at   DATETIME(6)  NOT NULL COMMENT 'UTC',
  mac          BINARY(32)   NOT NULL COMMENT 'under the authorization key',
  PRIMARY KEY (organization, owner, kind, id),
  UNIQUE KEY resources_id (organization, kind, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE resource_versions (
  organization BINARY(16)   NOT NULL,
  owner        BINARY(16)   NOT NULL,
  kind         VARCHAR(32)  NOT NULL,
  id           BINARY(16)   NOT NULL,
  version      INT UNSIGNED NOT NULL,
  row_id       BINARY(16)   NOT NULL,
  at           DATETIME(6)  NOT NULL COMMENT 'UTC',
  body         MEDIUMBLOB   NOT NULL COMMENT 'sealed resource, patient or organization scope',
  mac          BINARY(32)   NOT NULL COMMENT 'under the authorization key',
  kid          BINARY(16)   AS (SUBSTRING(body, 3, 16)) STORED,
  PRIMARY KEY (organization, owner, kind, id, version),
  UNIQUE KEY resource_versions_row (row_id),
  KEY resource_versions_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE demographics (
  organization BINARY(16)      NOT NULL,
  patient      BINARY(16)      NOT NULL,
  row_id       BINARY(16)      NOT NULL,
  version      INT UNSIGNED    NOT NULL COMMENT 'the version of the Patient resource that these fields repeat',
  family       VARBINARY(1024) NOT NULL COMMENT 'sealed, patient scope',
  given        VARBINARY(1024) NOT NULL COMMENT 'sealed, patient scope',
  birth_date   VARBINARY(256)  NOT NULL COMMENT 'sealed, patient scope',
  gender       VARBINARY(256)  NOT NULL COMMENT 'sealed, patient scope',
  mrn          VARBINARY(512)  NOT NULL COMMENT 'sealed, patient scope',
  ssn          VARBINARY(256)  NOT NULL COMMENT 'sealed, patient scope',
  phone        VARBINARY(512)  NOT NULL COMMENT 'sealed, patient scope',
  email        VARBINARY(1024) NOT NULL COMMENT 'sealed, patient scope',
  address      VARBINARY(2048) NOT NULL COMMENT 'sealed, patient scope',
  mrn_index    BINARY(16)      NOT NULL COMMENT 'blind index; random where there is no number',
  ssn_index    BINARY(16)      NOT NULL COMMENT 'blind index through the key service; random where there is no number',
  mac          BINARY(32)      NOT NULL COMMENT 'under the authorization key',
  kid          BINARY(16)      AS (SUBSTRING(family, 3, 16)) STORED,
  PRIMARY KEY (organization, patient),
  UNIQUE KEY demographics_row (row_id),
  UNIQUE KEY demographics_mrn (organization, mrn_index),
  KEY demographics_ssn (organization, ssn_index),
  KEY demographics_kid (kid)
) ENGINE = InnoDB;
